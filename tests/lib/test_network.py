"""portal.lib.network: whose word is believed."""

import pytest

from portal.lib.network import client_address, request_address


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "proxies", "address"),
    [
        ("192.0.2.1", "", 0, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", 0, "192.0.2.1"),
        ("10.0.0.1", "198.51.100.9", 1, "198.51.100.9"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.9", 1, "198.51.100.9"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.9, 10.0.0.2", 2, "198.51.100.9"),
        ("10.0.0.1", "198.51.100.9", 2, "10.0.0.1"),
        ("10.0.0.1", "", 1, "10.0.0.1"),
        ("10.0.0.1", " , ,198.51.100.9 ,", 1, "198.51.100.9"),
        ("10.0.0.1", "not an address", 1, None),
        ("10.0.0.1", "198.51.100.9:4711", 1, None),
        ("10.0.0.1", "<script>", 1, None),
        ("2001:DB8::1", "", 0, "2001:db8::1"),
        ("fe80::1%eth0", "", 0, "fe80::1"),
        ("::ffff:192.0.2.1", "", 0, "192.0.2.1"),
        (None, "", 0, None),
        ("", "", 0, None),
    ],
)
def test_only_what_a_trusted_proxy_wrote_is_believed(peer, forwarded_for, proxies, address):
    assert client_address(peer, forwarded_for, proxies) == address


def test_the_address_of_a_request(settings):
    meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 198.51.100.9"}
    assert request_address(meta) == "10.0.0.1"
    settings.TRUSTED_PROXIES = 1
    assert request_address(meta) == "198.51.100.9"
