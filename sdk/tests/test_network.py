from __future__ import annotations

import asyncio

import pytest

from fake_hub import eventually
from fake_proxy import FakeProxy
from gangway_device import ConfigurationError, Device, Network, Provisioner


@pytest.fixture
async def proxy():
    async with FakeProxy() as running:
        yield running


async def provision(store, portal, network, pace, serial="A1"):
    provisioner = Provisioner(
        store,
        portal=portal.url,
        serial_number=serial,
        network=network,
        pace=pace,
        on_code=lambda code: portal.unlock(serial),
    )
    return await provisioner.run()


async def test_both_legs_go_through_the_tunnel(store, portal, hub, proxy, pace):
    portal.hub_url = hub.url
    network = Network(proxy=f"http://{proxy.address}")
    credentials = await provision(store, portal, network, pace)
    async with Device(store, network=network, pace=pace) as device:
        assert await device.report({"a": 1}) == 1

    assert proxy.targets == [portal.url.removeprefix("http://"), hub.url.split("/")[2]]
    assert proxy.users == ["A1:", f"{credentials.device_id}:"]


async def test_the_environment_names_the_proxy(store, portal, proxy, pace, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "")
    monkeypatch.setenv("http_proxy", f"http://user:p%40ss@{proxy.address}")
    await provision(store, portal, Network(), pace)
    assert proxy.users == ["user:p@ss"]


async def test_the_environment_names_exceptions(store, portal, proxy, pace, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    await provision(store, portal, Network(), pace)
    assert proxy.targets == []


async def test_a_serial_number_with_a_colon_stays_one_user_name(store, portal, proxy, pace):
    await provision(store, portal, Network(proxy=f"http://{proxy.address}"), pace, "AA:BB")
    assert proxy.users == ["AA%3ABB:"]


async def test_it_gets_over_a_proxy_that_refuses(store, portal, hub, proxy, pace):
    portal.hub_url = hub.url
    proxy.answer = "503 Not now"
    network = Network(proxy=f"http://{proxy.address}")
    provisioning = asyncio.ensure_future(provision(store, portal, network, pace))
    await eventually(lambda: proxy.targets)
    proxy.answer = "200 OK"
    await provisioning
    proxy.answer = "407 Who are you"
    count = len(proxy.targets)
    async with Device(store, network=network, pace=pace) as device:
        await eventually(lambda: len(proxy.targets) > count)
        proxy.answer = "200 OK"
        await device.connect(5)


@pytest.mark.parametrize(
    "address", ["proxy:3128", "socks5://proxy:1", "https://proxy", "http://", "http://[x", "http://h:x"]
)
def test_it_refuses_what_is_no_proxy(address):
    with pytest.raises(ConfigurationError, match="proxy"):
        Network(proxy=address)


def test_the_message_does_not_quote_the_password():
    with pytest.raises(ConfigurationError) as caught:
        Network(proxy="https://user:hunter2@proxy")
    assert "hunter2" not in str(caught.value)


def test_it_refuses_what_is_no_certificate(tmp_path):
    with pytest.raises(ConfigurationError, match="certificates"):
        Network(ca_file=str(tmp_path / "none.pem"))
    (tmp_path / "bad.pem").write_text("x")
    with pytest.raises(ConfigurationError, match="certificates"):
        Network(ca_file=str(tmp_path / "bad.pem"))


def test_tls_is_for_wss_only(network):
    assert network.websocket_tls("ws://h/") is None
    assert network.websocket_tls("wss://h/").check_hostname
