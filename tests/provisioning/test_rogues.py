"""A rogue who knows a device's serial number polls beside it, at any moment of its way aboard."""

import json
import random

import pytest

from devices.errors import DomainError
from provisioning.errors import AlreadyProvisioned, ContestedSerial, MatchNumberNeeded
from provisioning.services.claims import find_waiting
from provisioning.services.handover import HandOver
from provisioning.states import EnrolmentState
from tests.base import (
    confirm,
    enrolment_of,
    make_code,
    make_poll_token,
    make_statement,
    make_tenant,
    poll,
    unique,
    unlock,
    unlock_by_code,
)
from tests.provisioning.sealed import DeviceSide
from tests.racing import race

TRIALS = 1000
PLAIN_TRIALS = 200
RACES = 20


def try_to_poll(statement):
    """The secret the poll was handed, or None."""
    try:
        outcome = poll(statement)
    except DomainError:
        return None
    return outcome if isinstance(outcome, HandOver) else None


class Technician:
    """Stands before the true device and does what the Console asks for: the code, then what the device shows."""

    def __init__(self, device, tenant):
        self._device = device
        self._tenant = tenant
        self._code = make_code(device.statement).code

    def lets_it_in(self):
        try:
            unlock_by_code(self._code, self._tenant)
        except MatchNumberNeeded:
            shown = poll(self._device.statement).match_number
            unlock_by_code(self._code, self._tenant, match_number=shown)


def way_aboard(device, technician):
    """The steps of the true device, one at a time."""
    yield poll(device.statement)
    yield technician.lets_it_in()
    yield try_to_poll(device.statement)
    yield try_to_poll(device.statement)
    yield confirm(device.statement)


@pytest.mark.once
@pytest.mark.django_db
def test_in_a_thousand_trials_a_rogue_with_its_own_key_is_handed_nothing():
    tenant, chance = make_tenant(), random.Random(20261120)  # noqa: S311  repeatable, not secret
    for _ in range(TRIALS):
        serial = unique("SN")
        device = DeviceSide(chance.choice(["key", "token"]), serial)
        rogue = chance.choice(
            [DeviceSide("key", serial).statement, DeviceSide("token", serial).statement, make_statement(serial)]
        )
        steps = way_aboard(device, Technician(device, tenant))
        polls_of_rogue = sorted(chance.randrange(7) for _ in range(chance.randrange(1, 6)))
        given = []
        for moment in range(7):
            for _ in range(polls_of_rogue.count(moment)):
                assert try_to_poll(rogue) is None
            outcome = next(steps, None)
            if isinstance(outcome, HandOver):
                given.append(outcome.body)
        assert len(given) == 2 and given[0] == given[1]
        assert enrolment_of(device.statement).state == EnrolmentState.CONFIRMED
        assert try_to_poll(rogue) is None


def test_racing_for_the_same_moment_the_rogue_is_handed_nothing(live_db):
    tenant = make_tenant()
    for _ in range(RACES):
        serial = unique("SN")
        device, rogue = DeviceSide("key", serial), DeviceSide("token", serial).statement
        technician = Technician(device, tenant)
        contestants = [technician.lets_it_in, *[lambda d=device: try_to_poll(d.statement)] * 3]
        outcomes = race([*contestants, *[lambda r=rogue: try_to_poll(r)] * 4])
        assert all(outcome is None for outcome in outcomes[4:]), outcomes
        if enrolment_of(device.statement).state == EnrolmentState.WAITING:
            technician.lets_it_in()
        assert try_to_poll(device.statement) is not None


@pytest.mark.django_db
def test_a_contested_serial_number_alone_lets_nobody_in():
    tenant = make_tenant()
    serial = unique("SN")
    statements = [make_statement(serial), make_statement(serial, poll_token=make_poll_token())]
    for statement in statements:
        poll(statement)
    assert find_waiting(entry=serial).contested
    with pytest.raises(ContestedSerial):
        unlock(statements[0], tenant)
    assert [try_to_poll(statement) for statement in statements] == [None, None]


@pytest.mark.django_db
def test_of_two_plain_pollers_exactly_one_wins_and_the_history_says_from_where():
    """Nobody can tell them apart: they share one enrolment, as the vendor's flow has it."""
    tenant, chance = make_tenant(), random.Random(8628)  # noqa: S311  repeatable, not secret
    for _ in range(PLAIN_TRIALS):
        statement = make_statement()
        poll(statement)
        device = unlock(statement, tenant)
        given = [outcome for outcome in (try_to_poll(statement) for _ in range(chance.randrange(2, 6))) if outcome]
        assert len(given) == 1
        assert json.loads(given[0].body)["deviceId"] == str(device.public_id)
        delivered = device.history.get(subject="enrolment", to_state=EnrolmentState.DELIVERED)
        assert delivered.network == "192.0.2.7"
        with pytest.raises(AlreadyProvisioned):
            poll(statement)
