"""Every move of everything that has states leaves one history row."""

import pytest

from devices.actors import Actor
from devices.models import Device, HistoryEntry, Subject
from portal.lib.request_id import begin_request
from provisioning.errors import CodeExpired, MatchNumberNeeded
from provisioning.pollers import Poller
from provisioning.services.confirmation import confirm_by_connection
from provisioning.services.expiry import expire_codes, expire_enrolments
from provisioning.services.removal import delete_device
from provisioning.states import CODE_MOVES, ENROLMENT_MOVES
from tests.base import (
    PORTAL,
    collect,
    decline,
    make_code,
    make_poll_token,
    make_statement,
    make_tenant,
    make_user,
    poll,
    unlock,
    unlock_by_code,
)

pytestmark = pytest.mark.django_db


def drive_everything(moved_clock, tenant, user):
    """Makes every move there is, as users and devices make them."""

    def started():
        statement = make_statement()
        poll(statement)
        return statement

    decline(started(), user)
    # Deleted before, after the hand-over, and after the first connection.
    for step in range(3):
        statement = started()
        device = unlock(statement, tenant, user)
        if step:
            collect(statement)
        if step > 1:
            confirm_by_connection(device)
        delete_device(device=device, actor=Actor.user(user.pk))
    # A rival loses.
    rival = make_statement(poll_token=make_poll_token())
    poll(rival)
    winner = make_statement(rival.serial_number, poll_token=make_poll_token())
    code = make_code(winner).code
    with pytest.raises(MatchNumberNeeded):
        unlock_by_code(code, tenant, user)
    unlock_by_code(code, tenant, user, match_number=poll(winner).match_number)
    # Codes are replaced, and run out; silence ends the rest.
    twice = make_statement()
    make_code(twice)
    make_code(twice)
    moved_clock.advance(days=2)
    expire_codes()
    expire_enrolments()


def test_every_move_there_is_leaves_a_row(moved_clock):
    begin_request("history-test-1")
    user = make_user()
    drive_everything(moved_clock, make_tenant(), user)
    for subject, moves, start in (
        (Subject.ENROLMENT, ENROLMENT_MOVES, "waiting"),
        (Subject.CODE, CODE_MOVES, None),
    ):
        seen = set(HistoryEntry.objects.filter(subject=subject).values_list("from_state", "to_state"))
        expected = {(str(one), str(other)) for one, other in moves}
        assert seen == expected | ({("", start)} if start else set())
    for subject, moves in (
        (Subject.DEVICE, {("", "active"), ("active", "retired")}),
        (Subject.CREDENTIAL, {("", "issued"), ("issued", "revoked")}),
    ):
        assert set(HistoryEntry.objects.filter(subject=subject).values_list("from_state", "to_state")) == moves


def test_the_rows_of_a_thing_form_a_chain_that_ends_in_its_state(moved_clock):
    drive_everything(moved_clock, make_tenant(), make_user())
    chains = {}
    for row in HistoryEntry.objects.order_by("id"):
        chain = chains.setdefault((row.subject, row.subject_id), [row.from_state])
        assert chain[-1] == row.from_state
        chain.append(row.to_state)
    for device in Device.objects.all():
        assert chains["device", device.public_id][-1] == device.state


def test_a_row_says_who_did_it_from_where_and_under_which_request(moved_clock):
    request_id = begin_request("history-test-2")
    user, tenant = make_user(), make_tenant()
    statement = make_statement()
    poll(statement)
    device = unlock(statement, tenant, user)
    row = HistoryEntry.objects.get(subject=Subject.ENROLMENT, to_state="unlocked")
    assert (row.actor, row.user, row.tenant, row.device) == ("user", user, tenant, device)
    assert row.request_id == request_id and row.at == moved_clock.moment and row.reason
    first = HistoryEntry.objects.get(subject=Subject.ENROLMENT, to_state="waiting")
    assert (first.actor, first.network, first.user) == ("device", "192.0.2.7", None)


def test_what_is_refused_leaves_no_row(moved_clock):
    from provisioning.services.polling import poll_by_code

    code = make_code().code
    moved_clock.advance(seconds=300)
    before = HistoryEntry.objects.count()
    with pytest.raises(CodeExpired):
        poll_by_code(code=code, poller=Poller(), portal_url=PORTAL, actor=Actor.device())
    assert HistoryEntry.objects.count() == before
