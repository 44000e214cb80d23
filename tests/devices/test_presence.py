"""devices.presence: what is read from session, lease and clock."""

from datetime import UTC, datetime, timedelta

import pytest

from devices.models import CloseReason, Device, HubProcess, Session
from devices.presence import PresenceState, presence_of, presence_of_session
from devices.services.sessions import (
    close_abandoned_sessions,
    close_session,
    end_sessions,
    open_session,
    register_process,
    renew_lease,
    stop_process,
)
from portal.lib.clock import now
from tests.base import make_device, make_tenant

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def session(lease=30, stopped=None):
    process = HubProcess(lease_until=NOON + timedelta(seconds=lease), stopped_at=stopped)
    return Session(process=process, connected_at=NOON, last_frame_at=NOON)


@pytest.mark.parametrize(
    ("seconds", "state", "since", "deadline"),
    [
        (0, "online", 0, None),
        (30, "online", 0, None),
        (30.001, "unsure", 30, 90),
        (90, "unsure", 30, 90),
        (90.001, "offline", 90, None),
        (10_000, "offline", 90, None),
    ],
)
def test_presence_follows_the_lease_of_the_process(settings, seconds, state, since, deadline):
    settings.HUB_OFFLINE_AFTER = 60
    presence = presence_of_session(session(), NOON + timedelta(seconds=seconds))
    assert presence.state == state
    assert presence.since == NOON + timedelta(seconds=since)
    assert presence.deadline == (NOON + timedelta(seconds=deadline) if deadline else None)
    assert presence.last_frame_at == NOON


def test_a_process_that_was_stopped_holds_nobody():
    assert presence_of_session(session(lease=0, stopped=NOON), NOON).state == PresenceState.UNSURE


@pytest.fixture
def connected(db, moved_clock):
    device = make_device(make_tenant())
    process = register_process(channel="nowhere")
    opened = connect(device, process)
    return device, process, opened


def connect(device, process):
    return open_session(
        device_id=device.pk, credential_id=device.credentials.get().pk, process_id=process.pk, network="192.0.2.1"
    )


def presence(device):
    return presence_of(Device.objects.with_open_session().get(pk=device.pk), now())


def listed(device, state):
    return Device.objects.with_presence(state, now()).filter(pk=device.pk).exists()


@pytest.mark.django_db
def test_a_device_that_was_never_there_is_offline(moved_clock):
    device = make_device(make_tenant())
    assert (presence(device).state, presence(device).reason) == ("offline", "has never connected")
    assert listed(device, "offline") and not listed(device, "online") and listed(device, "whatever")


def test_a_connected_device_is_online_as_long_as_its_process_renews(connected, moved_clock):
    device, process, opened = connected
    for _ in range(5):
        moved_clock.advance(seconds=20)
        assert presence(device).state == PresenceState.ONLINE and listed(device, "online")
        renew_lease(process_id=process.pk, last_frames={opened.session_id: now()})
    assert presence(device).last_frame_at == moved_clock.moment


def test_a_process_that_dies_puts_its_devices_in_doubt_and_then_offline(connected, moved_clock):
    device, _, _ = connected
    moved_clock.advance(seconds=31)
    assert presence(device).state == PresenceState.UNSURE
    assert not listed(device, "online") and listed(device, "offline")
    assert close_abandoned_sessions() == 0
    moved_clock.advance(seconds=60)
    assert presence(device).state == PresenceState.OFFLINE
    assert close_abandoned_sessions(batch=1) == 1
    assert presence(device).reason == "not connected"
    assert Session.objects.get().close_reason == CloseReason.ABANDONED
    assert close_abandoned_sessions() == 0


def test_a_process_that_was_thought_dead_and_is_not_takes_its_devices_back(connected, moved_clock):
    device, process, _ = connected
    moved_clock.advance(seconds=50)
    assert presence(device).state == PresenceState.UNSURE
    renew_lease(process_id=process.pk, last_frames={})
    assert presence(device).state == PresenceState.ONLINE


def test_a_planned_stop_ends_its_sessions_at_once(connected):
    device, process, _ = connected
    stop_process(process_id=process.pk)
    assert presence(device).state == PresenceState.OFFLINE
    assert Session.objects.get().close_reason == CloseReason.SHUTDOWN


def test_each_connection_raises_the_epoch_and_replaces_the_one_before(connected, django_capture_on_commit_callbacks):
    device, process, first = connected
    second = connect(device, process)
    assert second.epoch == first.epoch + 1
    rows = Session.objects.order_by("epoch")
    assert [(row.close_reason, row.closed_at is None) for row in rows] == [("replaced", False), ("", True)]
    assert not close_session(session_id=first.session_id, reason=CloseReason.LOST, last_frame_at=now())
    assert presence(device).state == PresenceState.ONLINE


def test_closing_notes_when_the_device_was_last_heard(connected, moved_clock):
    device, _, opened = connected
    moved_clock.advance(seconds=10)
    heard = now()
    moved_clock.advance(seconds=10)
    assert close_session(session_id=opened.session_id, reason=CloseReason.LOST, last_frame_at=heard)
    assert Device.objects.get(pk=device.pk).last_seen_at == heard
    assert presence(device).state == PresenceState.OFFLINE


def test_a_session_ended_by_the_portal_fences_its_writes(connected):
    device, _, opened = connected
    end_sessions(device=device, reason=CloseReason.REVOKED)
    assert Device.objects.get(pk=device.pk).session_epoch > opened.epoch
    assert Session.objects.get().close_reason == CloseReason.REVOKED
