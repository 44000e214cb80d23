"""Of many who want one thing, one gets it: on the database the tests run on, with threads, and over HTTP."""

from collections import Counter
from functools import partial

import httpx
import pytest
from django.db import transaction

from devices.actors import Actor
from devices.errors import InvalidTransition, NotFound, SerialInUse
from devices.models import Credential, Device, DeviceState, HistoryEntry, Subject
from provisioning.errors import AlreadyProvisioned, CodeNotUsable, MatchNumberNeeded, SerialNotWaiting
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services.claims import decline_waiting, find_waiting
from provisioning.services.enrolments import expire_enrolment
from provisioning.services.handover import HandOver
from provisioning.services.polling import poll_by_code
from provisioning.services.removal import delete_device
from provisioning.states import LIVE_STATES, CodeState, EnrolmentState
from tests.base import (
    PORTAL,
    enrolment_of,
    make_code,
    make_poll_token,
    make_statement,
    make_tenant,
    make_token,
    poll,
    unlock,
    unlock_by_code,
)
from tests.racing import kinds, race

POLLERS = 50
CLAIMERS = 20


def credentials_of(device):
    return Credential.objects.filter(device=device)


def moves_of(statement):
    rows = HistoryEntry.objects.filter(subject=Subject.ENROLMENT, subject_id=enrolment_of(statement).public_id)
    return list(rows.order_by("pk").values_list("to_state", flat=True))


@pytest.mark.parametrize("poll_token", ["", "made"])
def test_of_fifty_pollers_one_is_handed_the_credentials(live_db, poll_token):
    statement = make_statement(poll_token=make_poll_token() if poll_token else "")
    code = make_code(statement).code
    device = unlock_by_code(code, make_tenant())
    by_code = partial(poll_by_code, code=code, poller=statement.poller, portal_url=PORTAL, actor=Actor.device())
    outcomes = race([partial(poll, statement), by_code] * (POLLERS // 2))
    if poll_token:
        # All the same: who has the token is the device, however often it asks.
        assert kinds(outcomes) == {HandOver: POLLERS}
        assert len({outcome.body for outcome in outcomes}) == 1
    else:
        assert kinds(outcomes) == {HandOver: 1, AlreadyProvisioned: POLLERS - 1}
    assert credentials_of(device).count() == 1
    assert moves_of(statement) == ["waiting", "unlocked", "delivered"]


def test_of_fifty_pollers_over_http_one_is_handed_the_credentials(server, live_db):
    statement = make_statement()
    code = make_code(statement).code
    device = unlock_by_code(code, make_tenant())
    bodies = [{"serialNumber": statement.serial_number}, {"provisioningCode": code}] * (POLLERS // 2)
    with httpx.Client(limits=httpx.Limits(max_connections=POLLERS)) as client:
        answers = race(partial(server.poll, body, client=client) for body in bodies)
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[200] == 1
    assert set(statuses) <= {200, 410, 429}
    assert credentials_of(device).count() == 1


def test_of_fifty_held_polls_one_is_handed_the_credentials(server, live_db):
    statement = make_statement()
    poll(statement)
    tenant = make_tenant()
    body = {"serialNumber": statement.serial_number}
    with httpx.Client(limits=httpx.Limits(max_connections=POLLERS)) as client:
        claim = [partial(unlock, statement, tenant)]
        outcomes = race(claim + [partial(server.poll, body, wait=20, client=client)] * (POLLERS - 1))
    assert isinstance(outcomes[0], Device)
    assert Counter(answer.status_code for answer in outcomes[1:]) == {200: 1, 410: POLLERS - 2}
    assert credentials_of(outcomes[0]).count() == 1


@pytest.mark.parametrize("how", ["code", "serial"])
def test_of_twenty_claimers_one_lets_the_device_in(live_db, how):
    statement = make_statement()
    code = make_code(statement).code
    tenants = [make_tenant() for _ in range(CLAIMERS)]
    if how == "code":
        outcomes = race(partial(unlock_by_code, code, tenant) for tenant in tenants)
    else:
        outcomes = race(partial(unlock, statement, tenant) for tenant in tenants)
    won = [outcome for outcome in outcomes if isinstance(outcome, Device)]
    assert len(won) == 1, outcomes
    assert set(kinds(outcomes)) <= {Device, CodeNotUsable, SerialNotWaiting, InvalidTransition}
    assert list(Device.objects.filter(serial_number=statement.serial_number)) == won
    assert enrolment_of(statement).device == won[0]
    assert moves_of(statement) == ["waiting", "unlocked"]


def test_of_twenty_claimers_of_one_tenant_one_lets_the_device_in(live_db):
    statement = make_statement()
    code = make_code(statement).code
    tenant = make_tenant()
    outcomes = race([partial(unlock_by_code, code, tenant)] * CLAIMERS)
    assert kinds(outcomes)[Device] == 1
    assert set(kinds(outcomes)) <= {Device, CodeNotUsable, SerialInUse, InvalidTransition}
    assert Device.objects.filter(serial_number=statement.serial_number).count() == 1


def test_of_twenty_claimers_over_http_one_lets_the_device_in(server, live_cast):
    statement = make_statement()
    code = make_code(statement).code
    headers = [{"Authorization": f"Bearer {make_token(user)}"} for user in (live_cast.alice, live_cast.charlie)]
    claims = [
        partial(server.post, "claims", {"provisioningCode": code}, headers=headers[n % 2]) for n in range(CLAIMERS)
    ]
    statuses = Counter(answer.status_code for answer in race(claims))
    assert statuses[201] == 1
    # Ten at once of one person are looked at; for more there is a moment's wait.
    assert set(statuses) <= {201, 404, 409, 429}
    assert Device.objects.filter(serial_number=statement.serial_number).count() == 1


def test_of_two_rivals_with_one_serial_number_one_is_let_in(live_db):
    rivals = [make_statement(poll_token=make_poll_token())]
    rivals.append(make_statement(rivals[0].serial_number, poll_token=make_poll_token()))
    codes = [make_code(rival).code for rival in rivals]
    assert kinds(race(partial(unlock_by_code, code, make_tenant()) for code in codes)) == {MatchNumberNeeded: 2}
    numbers = [poll(rival).match_number for rival in rivals]
    outcomes = race(
        partial(unlock_by_code, code, make_tenant(), match_number=number)
        for code, number in zip(codes, numbers, strict=True)
    )
    assert kinds(outcomes) == {Device: 1, InvalidTransition: 1}, outcomes
    assert sorted(enrolment_of(rival).state for rival in rivals) == ["superseded", "unlocked"]


@pytest.mark.parametrize("attempt", range(3))
def test_claim_decline_and_expiry_of_one_enrolment_end_in_one_of_them(live_db, attempt):
    statement = make_statement()
    code = make_code(statement).code
    waiting = find_waiting(entry=code)
    contestants = [
        partial(unlock_by_code, code, make_tenant()),
        partial(decline_waiting, waiting=waiting, actor=Actor.system()),
        partial(expire_enrolment, enrolment=Enrolment.objects.get(pk=waiting.enrolment.pk)),
    ]
    outcomes = race(contestants)
    won = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert len(won) == 1, outcomes
    state = enrolment_of(statement).state
    assert state == ["unlocked", "declined", "expired"][outcomes.index(won[0])]
    assert moves_of(statement) == ["waiting", state]
    assert Device.objects.filter(serial_number=statement.serial_number).count() == (state == "unlocked")
    code_state = ProvisioningCode.objects.get(enrolment=waiting.enrolment).state
    assert code_state == (CodeState.REDEEMED if state == "unlocked" else CodeState.REVOKED)


@pytest.mark.parametrize("attempt", range(3))
def test_a_device_that_is_deleted_while_it_collects_has_no_live_credential(live_db, attempt):
    statement = make_statement()
    poll(statement)
    device = unlock(statement, make_tenant())
    delete = partial(delete_device, device=device, actor=Actor.system())
    outcomes = race([*[partial(poll, statement)] * 5, delete, *[partial(poll, statement)] * 5])
    assert not isinstance(outcomes[5], Exception), outcomes
    assert Device.objects.get(pk=device.pk).state == DeviceState.RETIRED
    assert kinds(outcomes)[HandOver] <= 1
    assert not credentials_of(device).filter(revoked_at=None).exists()


def test_of_many_first_polls_one_begins_the_enrolment(live_db):
    statement = make_statement()
    outcomes = race([partial(poll, statement)] * 20)
    assert {outcome.enrolment_id for outcome in outcomes} == {enrolment_of(statement).public_id}
    assert Enrolment.objects.filter(serial_number=statement.serial_number, state__in=LIVE_STATES).count() == 1


def test_of_many_who_ask_for_a_code_at_once_three_get_one_and_one_of_them_is_valid(live_db):
    statement = make_statement()
    race([partial(make_code, statement)] * 12)
    states = ProvisioningCode.objects.filter(enrolment=enrolment_of(statement)).values_list("state", flat=True)
    assert sorted(states) == [CodeState.ISSUED, CodeState.REVOKED, CodeState.REVOKED]


def test_a_device_is_deleted_once(live_db):
    statement = make_statement()
    poll(statement)
    device = unlock(statement, make_tenant())
    outcomes = race([partial(delete_device, device=device, actor=Actor.system())] * 8)
    assert kinds(outcomes) == {type(None): 1, NotFound: 7}
    assert moves_of(statement) == ["waiting", "unlocked", "superseded"]


def test_a_hand_over_that_is_rolled_back_leaves_the_device_unlocked(live_db):
    statement = make_statement()
    poll(statement)
    device = unlock(statement, make_tenant())
    with pytest.raises(KeyError), transaction.atomic():
        poll(statement)
        raise KeyError
    assert enrolment_of(statement).state == EnrolmentState.UNLOCKED
    assert not credentials_of(device).exists()
    assert isinstance(poll(statement), HandOver)
