"""The native door in this process, where what surrounds it can fail in ways that real servers seldom do."""

import asyncio
import json

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from devices.errors import SessionReplaced
from devices.models import Session
from devices.services.credentials import AuthenticatedDevice
from devices.services.sessions import open_session, register_process
from tests.base import aboard
from twins.consumers import NativeDoor
from twins.hub.process import Hub, get_hub
from twins.hub.session import HubSession


@pytest.fixture
def device(live_cast):
    return aboard(live_cast.tenant_a).device


def communicator(device):
    known = AuthenticatedDevice(
        device.pk, device.public_id, device.tenant.public_id, device.credentials.get(revoked_at=None).pk
    )
    socket = WebsocketCommunicator(NativeDoor.as_asgi(), "/hub/v1")
    socket.scope.update(device=known, network="192.0.2.1")
    return socket


async def say(socket, **frame):
    await socket.send_to(text_data=json.dumps(frame))
    return json.loads(await socket.receive_from(5))


async def end(socket):
    await socket.disconnect()
    hub = get_hub()
    for task in list(hub._tasks):
        task.cancel()


def test_without_the_database_the_device_is_told_to_come_back_and_nothing_is_left(device, monkeypatch, live_db):
    socket = communicator(device)

    async def scenario():
        assert (await socket.connect(5))[0]
        await say(socket, type="hello")

        async def fails(self, patch):
            raise OperationalError("away")

        monkeypatch.setattr(HubSession, "report", fails)
        answer = await say(socket, type="report", id="1", patch={"a": 1})
        assert (answer["code"], answer["id"], answer["retryAfter"]) == ("unavailable", "1", 5)
        assert (await socket.receive_output(5))["code"] == 4503
        await end(socket)
        assert get_hub()._sessions == {}

    async_to_sync(scenario)()
    assert not Session.objects.filter(device=device, closed_at=None).exists()


def test_a_session_is_closed_however_the_connection_ends(device, monkeypatch, live_db):
    socket = communicator(device)

    async def scenario():
        await socket.connect(5)
        await say(socket, type="hello")

        async def breaks(self, session, frame):
            raise KeyError("a mistake of ours")

        monkeypatch.setattr(NativeDoor, "_handle", breaks)
        await socket.send_to(text_data='{"type":"ping"}')
        await asyncio.wait([socket.future], timeout=20)
        with pytest.raises(KeyError):
            socket.future.result()
        assert get_hub()._sessions == {}
        for task in list(get_hub()._tasks):
            task.cancel()

    async_to_sync(scenario)()
    assert not Session.objects.filter(device=device, closed_at=None).exists()


def test_a_connection_that_was_overtaken_before_it_was_known_is_refused(device, live_db, monkeypatch):
    known = communicator(device).scope["device"]
    process = register_process(channel="nowhere")
    opened = [
        open_session(device_id=device.pk, credential_id=known.credential_id, process_id=process.pk, network=None)
        for _ in range(2)
    ]

    async def scenario():
        hub = Hub()
        order = iter(reversed(opened))

        async def started():
            return process.pk

        async def later_first(function, **kwargs):
            return next(order)

        monkeypatch.setattr(hub, "_ensure_started", started)
        monkeypatch.setattr("twins.hub.process.run_db", later_first)
        newest = await hub.open(device=known, network=None, agent="", door=None)
        with pytest.raises(SessionReplaced):
            await hub.open(device=known, network=None, agent="", door=None)
        assert hub._sessions == {device.pk: newest}

    async_to_sync(scenario)()
