from __future__ import annotations

import asyncio
from collections import deque

import pytest

from fake_hub import eventually
from fake_portal import SECRET
from gangway_device import (
    CredentialsRefused,
    Desired,
    Device,
    DeviceClosed,
    FrameError,
    FrameRefused,
    NotProvisioned,
    Pace,
    ProtocolError,
    ReplacedByAnotherConnection,
    StoreBusy,
)


@pytest.fixture
def make(aboard, network, pace):
    return lambda: Device(aboard, network=network, agent="test/1", pace=pace)


@pytest.fixture
async def device(make):
    async with make() as device:
        await device.connect(5)
        yield device


class Applied:
    """A callback that remembers."""

    def __init__(self):
        self.calls = []

    def __call__(self, document, version):
        self.calls.append((document, version))


async def test_it_says_hello_with_its_credentials(device, hub):
    assert hub.frames[0] == {"type": "hello", "protocol": 1, "agent": "test/1"}
    assert device.connected and device.connections == 1


async def test_a_report_waits_for_the_hub(device, hub):
    assert await device.report({"temperature": 21.5}) == 1
    assert await device.report({"temperature": None, "door": "open"}) == 2
    assert hub.reported == {"door": "open"}


async def test_it_gets_the_twin(device, hub):
    hub.reported, hub.reported_version = {"door": "open"}, 7
    twin = await device.get_twin()
    assert (twin.desired, twin.desired_version) == ({"interval": 5}, 3)
    assert (twin.reported, twin.reported_version) == ({"door": "open"}, 7)


async def test_the_callback_gets_the_document_and_then_its_changes(device, hub):
    applied = Applied()
    device.on_desired(applied)
    await eventually(lambda: len(hub.received("applied")) == 1)
    await hub.wish({"mode": "eco"})
    await eventually(lambda: len(hub.received("applied")) == 2)
    assert applied.calls == [({"interval": 5}, 3), ({"interval": 5, "mode": "eco"}, 4)]
    assert [frame["version"] for frame in hub.received("applied")] == [3, 4]


async def test_the_callback_cannot_change_what_the_device_has(device, hub):
    device.on_desired(lambda document, version: document.clear())
    await eventually(lambda: hub.received("applied"))
    assert device.desired == Desired(1, 3, {"interval": 5})


async def test_a_failed_callback_is_told_with_its_reason(device, hub):
    async def fail(document, version):
        raise ValueError("x" * 600 + "\ud800")

    device.on_desired(fail)
    await eventually(lambda: hub.received("failed"))
    failed = hub.received("failed")[0]
    assert failed["version"] == 3 and len(failed["reason"]) == 512 and failed["reason"].startswith("ValueError: xxx")


async def test_a_busy_callback_is_called_next_with_the_last_version(device, hub):
    applied, go_on = Applied(), asyncio.Event()

    async def slow(document, version):
        applied(document, version)
        await go_on.wait()

    device.on_desired(slow)
    await eventually(lambda: applied.calls)
    for number in range(3):
        await hub.wish({"n": number})
    await eventually(lambda: device.desired.version == 6)
    go_on.set()
    await eventually(lambda: len(hub.received("applied")) == 2)
    assert [version for _, version in applied.calls] == [3, 6]


async def test_a_callback_may_report(device, hub):
    async def mirror(document, version):
        await device.report({"settings": document})

    device.on_desired(mirror)
    await eventually(lambda: hub.received("applied"))
    assert hub.reported == {"settings": {"interval": 5}}


async def test_a_restart_resumes_without_the_document(make, hub):
    applied = Applied()
    async with make() as device:
        device.on_desired(applied)
        await eventually(lambda: hub.received("applied"))
        await device.report({})
    async with make() as device:
        device.on_desired(applied)
        assert device.desired == Desired(1, 3, {"interval": 5})
        await device.connect(5)
        await device.report({"a": 1})
    assert (hub.received("hello")[1]["generation"], hub.received("hello")[1]["desiredVersion"]) == (1, 3)
    assert "desired" not in hub.welcomes[1]
    assert len(applied.calls) == 1 and len(hub.received("applied")) == 1


async def test_what_was_applied_is_told_after_a_crash(make, hub):
    applied = Applied()
    async with make() as device:
        await device.connect(5)
        hub.drop_after.append("applied")
        hub.upgrade_answers.append((503, {"Retry-After": "1000"}))
        device.on_desired(applied)
        await eventually(lambda: not hub.upgrade_answers)
    async with make():
        await eventually(lambda: len(hub.received("applied")) == 2)
    assert len(applied.calls) == 1


async def test_a_gap_makes_it_ask_for_the_twin(device, hub):
    applied = Applied()
    device.on_desired(applied)
    await eventually(lambda: hub.received("applied"))
    hub.version, hub.desired = 5, {"interval": 5, "lost": True}
    await hub.wish({"mode": "eco"})
    await eventually(lambda: len(applied.calls) == 2)
    assert applied.calls[1] == ({"interval": 5, "lost": True, "mode": "eco"}, 6)
    assert len(hub.received("getTwin")) == 1


async def test_an_old_patch_is_ignored(device, hub):
    await hub.send({"type": "desired", "generation": 1, "from": 1, "version": 2, "patch": {"old": 1}})
    await device.report({})
    assert device.desired.version == 3 and not hub.received("getTwin")


async def test_a_new_generation_starts_over(device, hub):
    applied = Applied()
    device.on_desired(applied)
    await eventually(lambda: hub.received("applied"))
    hub.generation, hub.version, hub.desired = 2, 1, {"new": True}
    await hub.connection.close(1012)
    await eventually(lambda: len(applied.calls) == 2)
    assert applied.calls[1] == ({"new": True}, 1)


async def test_frames_and_members_it_does_not_know_are_ignored(device, hub):
    await hub.send({"type": "news", "x": 1})
    await hub.send({"type": "desired", "generation": 1, "version": 4, "document": {"y": 1}, "x": 1})
    await hub.send({"type": "error", "code": "odd", "title": "Odd", "detail": "very"})
    await device.report({})
    assert device.desired == Desired(1, 4, {"y": 1}) and device.connections == 1


@pytest.mark.parametrize("frame", ["[]", "{", '{"type":"a","type":"b"}', '{"type":"desired","version":"x"}'])
async def test_it_reconnects_when_the_hub_cannot_be_understood(frame, device, hub):
    await hub.send(frame)
    await eventually(lambda: device.connections == 2)


async def test_a_report_without_an_answer_is_sent_again(device, hub):
    hub.drop_after.append("report")
    versions = await asyncio.gather(*(device.report({"n": number}) for number in range(3)))
    assert hub.received("report")[0]["patch"] == hub.received("report")[1]["patch"] == {"n": 0}
    assert [frame["patch"]["n"] for frame in hub.received("report")] == [0, 0, 1, 2]
    assert versions == [1, 2, 3] and hub.reported == {"n": 2}


async def test_reports_wait_for_a_hub_that_is_away(make, hub):
    await hub.stop()
    async with make() as device:
        waiting = asyncio.ensure_future(device.report({"a": 1}))
        await asyncio.sleep(0.02)
        await hub.start()
        assert await waiting == 1


async def test_a_report_has_a_time_limit_and_is_withdrawn(make, hub):
    await hub.stop()
    async with make() as device:
        with pytest.raises(TimeoutError):
            await device.report({"late": 1}, timeout=0.01)
        await hub.start()
        await device.connect(5)
        await device.report({"a": 1})
    assert hub.reported == {"a": 1}


async def test_a_refused_report_says_why(device, hub):
    hub.errors["report"] = deque([{"code": "too-deep", "pointer": "/a/b"}])
    with pytest.raises(FrameRefused, match="because") as caught:
        await device.report({"a": {"b": {}}})
    assert (caught.value.code, caught.value.pointer) == ("too-deep", "/a/b")


async def test_a_report_for_later_is_sent_again(device, hub):
    hub.errors["report"] = deque([{"code": "busy", "retryAfter": 0}])
    assert await asyncio.gather(device.report({"n": 1}), device.report({"n": 2})) == [1, 2]
    assert [frame["patch"]["n"] for frame in hub.received("report")] == [1, 1, 2]


@pytest.mark.parametrize("patch", [{"a": float("nan")}, {"a": [None]}, {"a": 2**53}, {"a": "x" * 70_000}])
async def test_a_report_that_would_end_the_connection_is_not_sent(patch, device, hub):
    with pytest.raises(FrameError):
        await device.report(patch)
    await device.report({})
    assert len(hub.received("report")) == 1


async def test_it_pings_when_it_has_nothing_to_say(aboard, hub, network, pace):
    hub.heartbeat = 0.02
    async with Device(aboard, network=network, pace=pace):
        await eventually(lambda: len(hub.received("ping")) >= 2)
    assert len(hub.received("hello")) == 1


async def test_it_gives_a_silent_connection_up(aboard, hub, network):
    hub.silent_after_hello = True
    async with Device(aboard, network=network, pace=Pace(base=0.005, cap=0.02, answer_timeout=0.3)) as device:
        waiting = asyncio.ensure_future(device.report({"a": 1}))
        await eventually(lambda: hub.received("report"))
        hub.silent_after_hello = False
        assert await waiting == 1
        assert device.connections == 2


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (4401, CredentialsRefused),
        (4409, ReplacedByAnotherConnection),
        (4400, ProtocolError),
        (4413, ProtocolError),
    ],
)
async def test_a_close_code_stops_it(code, error, device, hub):
    waiting = asyncio.ensure_future(device.run())
    await hub.connection.close(code)
    with pytest.raises(error, match=str(code)):
        await waiting
    with pytest.raises(error):
        await device.report({})
    assert not device.connected and device.connections == 1


async def test_a_close_before_the_welcome_stops_it_too(make, hub):
    hub.close_instead_of_welcome.append(4401)
    device = make()
    with pytest.raises(CredentialsRefused):
        await device.connect(5)
    await device.close()


@pytest.mark.parametrize("code", [1001, 1012, 4408, 4429, 1011])
async def test_other_close_codes_make_it_come_back(code, device, hub):
    await hub.connection.close(code)
    await eventually(lambda: device.connections == 2)


async def test_bye_says_when_to_come_back(device, hub):
    await hub.send({"type": "bye", "code": "draining", "retryAfter": 0.01})
    await hub.connection.close(1012)
    await eventually(lambda: device.connections == 2)


async def test_it_gets_over_busy_hubs_and_proxies(make, hub):
    hub.upgrade_answers.extend([(503, {"Retry-After": "0"}), (429, {}), (403, {}), (403, {}), (403, {}), (502, {})])
    async with make() as device:
        await device.connect(5)
    assert not hub.upgrade_answers


async def test_it_believes_the_fourth_403(make, hub):
    hub.upgrade_answers.extend([(403, {})] * 5)
    device = make()
    with pytest.raises(CredentialsRefused):
        await device.run()
    assert len(hub.upgrade_answers) == 1


async def test_wrong_credentials_stop_it_at_once(make, hub):
    hub.upgrade_answers.append((401, {}))
    with pytest.raises(CredentialsRefused):
        await make().run()
    assert len(hub.authorizations) == 1


async def test_closing_ends_what_waits(device, hub):
    hub.upgrade_answers.extend([(503, {"Retry-After": "1000"})])
    await hub.connection.close(1001)
    await eventually(lambda: not device.connected)
    waiting = asyncio.ensure_future(device.report({}))
    await asyncio.sleep(0)
    await device.close()
    with pytest.raises(DeviceClosed):
        await waiting
    with pytest.raises(DeviceClosed):
        await device.get_twin()


async def test_it_must_be_started(make):
    with pytest.raises(DeviceClosed):
        await make().report({})


async def test_one_process_runs_a_device(make, aboard):
    with aboard.lock(), pytest.raises(StoreBusy):
        await make().connect()


async def test_it_must_be_provisioned(store, network):
    with pytest.raises(NotProvisioned):
        Device(store, network=network).start()
    store.lock().release()


async def test_the_secret_is_in_no_log(make, hub, caplog):
    caplog.set_level(0)
    hub.drop_after.append("report")
    async with make() as device:
        await device.report({"a": 1})
    ours = "".join(record.getMessage() for record in caplog.records if record.name != "websockets.server")
    assert SECRET not in ours and hub.authorizations[0].removeprefix("Basic ") not in ours
