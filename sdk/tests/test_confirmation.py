from __future__ import annotations

import asyncio
import base64
import os

import pytest

from fake_hub import eventually
from fake_portal import CUT, DEVICE_ID, SECRET, problem
from gangway_device import (
    AlreadyProvisioned,
    Device,
    Provisioner,
    confirmation,
    provision,
)


@pytest.fixture
def make(store, portal, network, pace):
    portal.let_everybody_in = True

    def make(**overrides):
        arguments = {"portal": portal.url, "serial_number": "A1", "network": network, "pace": pace, **overrides}
        return Provisioner(store, **arguments)

    return make


@pytest.fixture
def unconfirmed(make, portal, store):
    """A device that got its credentials and could not say so."""

    async def unconfirmed():
        portal.faults["confirm"].append(problem(404, "http-404"))
        return await make().run()

    return unconfirmed


async def test_it_confirms_what_it_has_stored(make, portal, store, monkeypatch):
    seen = []
    confirm = portal._confirm
    monkeypatch.setattr(portal, "_confirm", lambda request: (seen.append(store.load()), confirm(request))[1])
    credentials = await make().run()

    request = portal.made("confirm")[0]
    pair = base64.b64encode(f"{DEVICE_ID}:{SECRET}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {pair}" and request.headers["content-length"] == "0"
    assert seen[0].device_secret == SECRET and seen[0].confirm_at == portal.url
    assert credentials.confirmed and store.load() == credentials and "confirmAt" not in store.path.read_text()


async def test_after_the_confirmation_the_key_is_of_no_use(make, portal, store):
    portal.let_everybody_in = False
    task = asyncio.create_task(make().run())
    await eventually(lambda: portal.made("poll"))
    backup = store.load()
    portal.unlock("A1")
    await task
    store.save(backup)
    with pytest.raises(AlreadyProvisioned, match="operator"):
        await make().run()


@pytest.mark.parametrize(
    "fault",
    [
        problem(429, "too-many-requests", "0"),
        problem(503, "maintenance"),
        (CUT, {}, {}),
        (200, {}, b"<html>log in to the hotel's network</html>"),
    ],
)
async def test_it_gets_over(fault, make, portal):
    portal.faults["confirm"].extend([fault] * 3)
    assert (await make().run()).confirmed
    assert len(portal.made("confirm")) == 4


@pytest.mark.parametrize(
    ("faults", "requests"),
    [
        ([problem(503, "maintenance")] * 9, confirmation.TRIES),
        ([problem(429, "too-many-requests", "3600")], 1),
        ([problem(401, "not-authenticated")], 1),
        ([(404, {}, b"no such route")], 1),
    ],
)
async def test_a_portal_that_cannot_be_told_is_told_at_the_next_start(faults, requests, make, portal, store, caplog):
    portal.faults["confirm"].extend(faults)
    credentials = await make().run()
    assert credentials.device_secret == SECRET and not credentials.confirmed and store.load() == credentials
    assert len(portal.made("confirm")) == requests and "the first connection to the hub" in caplog.text

    portal.faults["confirm"].clear()
    again = await make(portal="https://mistyped.example").run()
    assert again.confirmed and store.load() == again and len(portal.made("poll")) == 1
    assert await make().run() == again and len(portal.made("confirm")) == requests + 1


async def test_its_patience_ends(make, portal, monkeypatch):
    monkeypatch.setattr(confirmation, "PATIENCE", 0.05)
    monkeypatch.setattr(confirmation, "TRIES", 10_000)
    monkeypatch.setattr(portal, "_confirm", lambda request: (CUT, {}, {}))
    assert not (await make().run()).confirmed


async def test_the_first_connection_confirms(unconfirmed, portal, hub, store, network, pace):
    portal.hub_url = hub.url
    assert not (await unconfirmed()).confirmed
    async with Device(store, network=network, pace=pace) as device:
        await device.connect(5)
    assert store.load().confirmed and len(portal.made("confirm")) == 1


async def test_a_refused_connection_confirms_nothing(unconfirmed, portal, hub, store, network, pace):
    portal.hub_url = hub.url
    await unconfirmed()
    hub.upgrade_answers.extend([(503, {"Retry-After": "1000"})])
    async with Device(store, network=network, pace=pace):
        await eventually(lambda: hub.authorizations)
    assert not store.load().confirmed


async def test_a_full_disk_does_not_end_the_connection(unconfirmed, portal, hub, store, network, pace, monkeypatch):
    portal.hub_url = hub.url
    await unconfirmed()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        async with Device(store, network=network, pace=pace) as device:
            assert await device.report({"a": 1}, timeout=5) == 1
    assert not store.load().confirmed


async def test_a_time_limit_does_not_lose_what_is_there(store, portal, network):
    portal.let_everybody_in = True
    portal.faults["confirm"].extend([problem(503, "maintenance", "20")] * 9)

    def block():
        return provision(store, portal=portal.url, serial_number="A1", network=network, timeout=0.3)

    assert (await asyncio.to_thread(block)).device_secret == SECRET
