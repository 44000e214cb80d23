from __future__ import annotations

import asyncio
import threading

import pytest

from fake_hub import eventually
from gangway_device import BlockingDevice, DeviceClosed, NotProvisioned


async def test_it_does_what_the_other_one_does(aboard, hub, network, pace):
    applied, finished = threading.Event(), threading.Event()

    def use():
        with BlockingDevice(aboard, network=network, pace=pace) as device:

            def apply(document, version):
                device.report({"settings": document}, timeout=5)
                applied.set()

            device.on_desired(apply)
            device.connect(5)
            assert applied.wait(5)
            twin = device.get_twin(timeout=5)
            assert twin.reported == {"settings": {"interval": 5}} and device.connected
            assert device.desired.version == 3
            finished.wait(5)
        with pytest.raises(DeviceClosed):
            device.report({})

    using = asyncio.ensure_future(asyncio.to_thread(use))
    await eventually(lambda: hub.received("applied"))
    finished.set()
    await using


def test_it_can_be_closed_unused(aboard, network):
    device = BlockingDevice(aboard, network=network)
    device.close()
    device.close()


def test_it_ends_its_thread_when_it_cannot_start(store, network):
    before = threading.active_count()
    with pytest.raises(NotProvisioned), BlockingDevice(store, network=network):
        pass
    assert threading.active_count() == before


def test_it_takes_plain_callbacks_only(aboard, network):
    async def callback(document, version): ...

    device = BlockingDevice(aboard, network=network)
    with pytest.raises(TypeError):
        device.on_desired(callback)
    device.close()
