"""Connections of one device that begin and end at the same moment."""

from functools import partial

from devices.models import CloseReason, Device, Session
from devices.services.sessions import close_session, end_sessions, open_session, register_process
from portal.lib.clock import now
from tests.base import make_device
from tests.racing import race


def test_a_device_that_comes_back_while_its_old_connection_is_closed_is_let_in(live_db):
    device = make_device()
    process = register_process(channel="nowhere")
    connect = partial(
        open_session,
        device_id=device.pk,
        credential_id=device.credentials.get().pk,
        process_id=process.pk,
        network=None,
    )
    for _ in range(15):
        opened = connect()
        close = partial(close_session, session_id=opened.session_id, reason=CloseReason.DEVICE, last_frame_at=now())
        outcomes = race([close, connect, close, connect])
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
        assert Session.objects.filter(device=device, closed_at=None).count() == 1


def test_a_connection_that_begins_while_sessions_are_ended_is_ended_or_newer(live_db):
    device = make_device()
    process = register_process(channel="nowhere")
    connect = partial(
        open_session,
        device_id=device.pk,
        credential_id=device.credentials.get().pk,
        process_id=process.pk,
        network=None,
    )
    for _ in range(5):
        outcomes = race([partial(end_sessions, device=device, reason=CloseReason.REVOKED), connect, connect])
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
        still_open = Session.objects.filter(device=device, closed_at=None).first()
        epoch = Device.objects.get(pk=device.pk).session_epoch
        assert still_open is None or still_open.epoch == epoch
