"""The whole transition table, driven by actors that act by turns and at once, in any order."""

from functools import partial

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from devices.actors import Actor
from devices.errors import DomainError
from devices.models import Credential, Device, DeviceState, HistoryEntry, Subject
from portal.lib import clock
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services.claims import decline_waiting, find_waiting
from provisioning.services.confirmation import confirm_hand_over
from provisioning.services.expiry import destroy_unconfirmed, expire_codes, expire_enrolments
from provisioning.services.removal import delete_device
from provisioning.states import CODE_MOVES, ENROLMENT_MOVES, LIVE_STATES, WITH_DEVICE_STATES, CodeState, EnrolmentState
from tests.base import make_code, make_poll_token, make_statement, make_tenant, poll, unique, unlock, unlock_by_code
from tests.racing import race
from tests.times import MovedClock

ACTIONS = ["poll", "ask", "claim by code", "claim by serial", "decline", "confirm", "delete", "sweep"]
_action = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2))


class WayAboard(RuleBasedStateMachine):
    """Three devices claim one serial number: two with a token, one plain. Persons, a sweep and the clock play along."""

    moved: MovedClock

    @initialize()
    def begin(self):
        self.serial = unique("SN")
        tokens = [make_poll_token(), make_poll_token(), ""]
        self.statements = [make_statement(self.serial, poll_token=token) for token in tokens]
        self.codes = ["", "", ""]
        self.tenant = make_tenant()

    @rule(action=_action)
    def by_turns(self, action):
        self._attempt(*action)

    @rule(actions=st.lists(_action, min_size=2, max_size=4))
    def at_once(self, actions):
        race(partial(self._attempt, *action) for action in actions)

    @rule(seconds=st.sampled_from([20, 200, 700, 90000]))
    def time_passes(self, seconds):
        self.moved.advance(seconds=seconds)

    @invariant()
    def every_row_is_where_its_history_says(self):
        if not hasattr(self, "serial"):
            return
        for enrolment in self._enrolments():
            assert_history(Subject.ENROLMENT, enrolment, ENROLMENT_MOVES, EnrolmentState)
        for code in ProvisioningCode.objects.filter(enrolment__serial_number=self.serial):
            assert_history(Subject.CODE, code, CODE_MOVES, CodeState, begins=CodeState.ISSUED)

    @invariant()
    def one_at_most_is_let_in_and_has_one_secret(self):
        if not hasattr(self, "serial"):
            return
        let_in = [row for row in self._enrolments() if row.state in WITH_DEVICE_STATES]
        assert len(let_in) <= 1
        live = Credential.objects.filter(device__serial_number=self.serial, revoked_at=None)
        handed_over = [row for row in let_in if row.is_handed_over]
        assert live.count() == len(handed_over)
        active = Device.objects.filter(serial_number=self.serial).exclude(state=DeviceState.RETIRED)
        assert active.count() == len(let_in)

    def _enrolments(self):
        return list(Enrolment.objects.filter(serial_number=self.serial))

    def _attempt(self, action, number):
        try:
            self._act(action, number)
        except DomainError:
            # Named and refused: what it left behind is for the invariants to judge.
            return

    def _act(self, action, number):
        statement = self.statements[number]
        match action:
            case "poll":
                poll(statement)
            case "ask":
                self.codes[number] = make_code(statement).code
            case "claim by code":
                shown = Enrolment.objects.filter(serial_number=self.serial, poller_digest=statement.poller.digest)
                number_shown = shown.filter(state__in=LIVE_STATES).values_list("match_number", flat=True).first() or ""
                unlock_by_code(self.codes[number], self.tenant, match_number=number_shown)
            case "claim by serial":
                unlock(statement, self.tenant)
            case "decline":
                decline_waiting(waiting=find_waiting(entry=self.codes[number] or self.serial), actor=Actor.system())
            case "confirm" | "delete":
                self._end(action)
            case "sweep":
                expire_codes()
                expire_enrolments()
                destroy_unconfirmed()

    def _end(self, action):
        device = Device.objects.filter(serial_number=self.serial).exclude(state=DeviceState.RETIRED).first()
        if device is None:
            return
        if action == "confirm":
            confirm_hand_over(device_id=device.pk, actor=Actor.device())
        else:
            delete_device(device=device, actor=Actor.system())


def assert_history(subject, row, moves, states, begins=None):
    """Unbroken, every move in the table, and its end is the row's state."""
    entries = HistoryEntry.objects.filter(subject=subject, subject_id=row.public_id).order_by("pk")
    at = begins
    for entry in entries:
        if entry.from_state == "":
            assert at is None, "it began twice"
        else:
            assert at is not None and entry.from_state == at, f"{entry.from_state} after {at}"
            assert (states(entry.from_state), states(entry.to_state)) in moves
        at = entry.to_state
    assert at == row.state


@pytest.fixture
def clock_in_hand(monkeypatch):
    moved = MovedClock()
    monkeypatch.setattr(clock, "_read", moved)
    return moved


def test_no_order_of_moves_leaves_the_table(live_db, clock_in_hand):
    assert not transaction.get_connection().in_atomic_block
    machine = type("WayAboardUnderThisClock", (WayAboard,), {"moved": clock_in_hand})
    few = settings(
        max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(machine, settings=few)
