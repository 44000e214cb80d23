"""The names and addresses the portal answers to when nobody said which."""

import socket

import pytest

from portal.launch.hosts import allowed_hosts, portal_url

pytestmark = pytest.mark.once


def test_this_machine_is_always_allowed():
    names = allowed_hosts("127.0.0.1", "")
    assert {"localhost", "127.0.0.1", "[::1]", socket.gethostname().lower()} <= set(names)
    assert len(names) == len(set(names))


def test_the_address_listened_on_is_allowed():
    assert "192.0.2.7" in allowed_hosts("192.0.2.7", "")
    assert "[2001:db8::7]" in allowed_hosts("2001:db8::7", "")


def test_the_public_name_is_allowed():
    assert "portal.example" in allowed_hosts("127.0.0.1", "https://portal.example:8443/below")


def test_a_wildcard_allows_the_machines_own_addresses_and_not_itself():
    names = allowed_hosts("0.0.0.0", "")  # noqa: S104
    assert "0.0.0.0" not in names  # noqa: S104
    own = socket.gethostbyname(socket.gethostname())
    assert own in names


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104
        ("::", "http://[::1]:8000"),
        ("portal.local", "http://portal.local:8000"),
    ],
)
def test_the_url_is_one_that_can_be_opened(host, url):
    assert portal_url(host, 8000) == url
