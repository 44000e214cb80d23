"""POST /api/v1/provisioning/poll: every row of the table in docs/device-protocol.md."""

import uuid

import pytest

from devices.models import Credential
from devices.services.credentials import authenticate_device
from provisioning.models import Enrolment
from provisioning.states import EnrolmentState
from tests.base import (
    api_client,
    decline,
    make_code,
    make_poll_token,
    make_statement,
    make_tenant,
    poll,
    unique,
    unlock,
    unlock_by_code,
)
from tests.http import POLL, assert_for_devices, assert_problem, post, raw

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _polls_as_often_as_it_likes(settings):
    settings.POLL_MINIMUM_INTERVAL = 0


def by_serial(statement):
    return post(POLL, {"serialNumber": statement.serial_number, **_token(statement)})


def by_code(code, statement=None):
    return post(POLL, {"provisioningCode": code, **(_token(statement) if statement else {})})


def _token(statement):
    return {"pollToken": statement.poller.poll_token} if statement.poller.poll_token else {}


def test_nobody_has_let_the_device_in_yet():
    answer = by_serial(make_statement())
    assert answer.status_code == 202
    assert answer.json() == {"status": "pending", "pollAfter": 5}
    assert answer["Retry-After"] == "5"
    assert answer["Cache-Control"] == "no-store"
    assert_for_devices(answer)


def test_a_serial_number_that_was_never_seen_starts_an_enrolment():
    statement = make_statement()
    by_serial(statement)
    assert Enrolment.objects.get(serial_number=statement.serial_number).state == EnrolmentState.WAITING


@pytest.mark.parametrize("poll_token", ["", "made"])
@pytest.mark.parametrize("how", ["serial", "code"])
def test_the_first_poll_after_the_unlock_is_handed_the_credentials(cast, how, poll_token):
    statement = make_statement(poll_token=make_poll_token() if poll_token else "")
    issued = make_code(statement)
    device = unlock_by_code(issued.code, cast.tenant_a)
    answer = by_serial(statement) if how == "serial" else by_code(issued.code, statement)
    assert answer.status_code == 200
    body = answer.json()
    secret = body.pop("deviceSecret")
    assert body == {
        "status": "provisioned",
        "deviceId": str(device.public_id),
        "tenantId": str(cast.tenant_a.public_id),
        "dataResidency": "eu",
        "hubUrl": "ws://testserver/hub/v1",
        "portalUrl": "http://testserver",
    }
    assert secret.startswith("gwd_") and len(secret) == len("gwd_") + 43
    assert authenticate_device(device_id=body["deviceId"], secret=secret, network=None).device_id == device.pk
    assert answer["Cache-Control"] == "no-store"
    assert_for_devices(answer)


@pytest.mark.parametrize("first", ["serial", "code"])
def test_every_later_poll_fails_with_the_serial_number_and_with_the_code(cast, first, moved_clock):
    statement = make_statement()
    issued = make_code(statement)
    unlock_by_code(issued.code, cast.tenant_a)
    handed = by_serial(statement) if first == "serial" else by_code(issued.code)
    assert handed.status_code == 200
    for _ in range(2):
        assert_problem(by_serial(statement), 410, "already-provisioned")
        assert_problem(by_code(issued.code), 410, "already-provisioned")
        assert_problem(by_code(issued.code.lower()), 410, "already-provisioned")
        moved_clock.advance(days=400)
    assert Credential.objects.count() == 1


def test_the_answer_names_the_urls_of_the_tenants_region():
    tenant = make_tenant(region="au")
    tenant.region.hub_url, tenant.region.portal_url = "wss://portal-au.example/hub/v1", "https://portal-au.example"
    tenant.region.save(update_fields=["hub_url", "portal_url"])
    statement = make_statement()
    poll(statement)
    unlock(statement, tenant)
    body = by_serial(statement).json()
    assert (body["dataResidency"], body["hubUrl"], body["portalUrl"]) == (
        "au",
        "wss://portal-au.example/hub/v1",
        "https://portal-au.example",
    )


def test_the_public_url_is_what_devices_are_sent(cast, settings):
    settings.PUBLIC_URL = "https://portal.example"
    statement = make_statement()
    poll(statement)
    unlock(statement, cast.tenant_a)
    body = by_serial(statement).json()
    assert (body["hubUrl"], body["portalUrl"]) == ("wss://portal.example/hub/v1", "https://portal.example")


def test_another_poll_token_gets_nothing_of_a_device_that_was_let_in(cast):
    statement = make_statement(poll_token=make_poll_token())
    poll(statement)
    unlock(statement, cast.tenant_a)
    for thief in (
        make_statement(statement.serial_number),
        make_statement(statement.serial_number, poll_token="t" * 40),
    ):
        assert_problem(by_serial(thief), 403, "wrong-poller")
    assert by_serial(statement).status_code == 200


def test_a_code_of_an_enrolment_with_a_poll_token_needs_it(cast):
    statement = make_statement(poll_token=make_poll_token())
    issued = make_code(statement)
    assert_problem(by_code(issued.code), 403, "wrong-poller")
    assert_problem(by_code(issued.code, make_statement(poll_token="t" * 40)), 403, "wrong-poller")
    assert by_code(issued.code, statement).status_code == 202
    unlock_by_code(issued.code, cast.tenant_a)
    assert_problem(by_code(issued.code), 403, "wrong-poller")
    assert by_code(issued.code, statement).status_code == 200


def test_a_plain_pollers_code_takes_no_poll_token():
    assert_problem(by_code(make_code().code, make_statement(poll_token="t" * 40)), 403, "wrong-poller")


@pytest.mark.parametrize("code", ["222222", "zzzzzz", "not a code", "0", "K7M2Q0", ""])
def test_there_is_no_such_code(code):
    answer = by_code(code)
    if code:
        assert_problem(answer, 404, "unknown-code")
    else:
        assert_problem(answer, 400, "invalid-request")


def test_a_code_is_read_with_blanks_and_hyphens_in_any_case():
    code = make_code().code.lower()
    assert by_code(f" {code[:3]}-{code[3:]} ").status_code == 202


def test_a_code_is_valid_for_five_minutes(moved_clock):
    issued = make_code()
    moved_clock.advance(seconds=299)
    assert by_code(issued.code).status_code == 202
    moved_clock.advance(seconds=1)
    assert_problem(by_code(issued.code), 410, "code-expired")


def test_a_replaced_code_is_over_and_its_successor_is_not():
    statement = make_statement()
    first, second = make_code(statement), make_code(statement)
    assert_problem(by_code(first.code), 410, "code-expired")
    assert by_code(second.code).status_code == 202


def test_a_code_that_let_the_device_in_just_before_its_end_does_not_strand_it(cast, moved_clock):
    issued = make_code()
    moved_clock.advance(seconds=299)
    unlock_by_code(issued.code, cast.tenant_a)
    moved_clock.advance(seconds=200)
    assert by_code(issued.code).status_code == 200


def test_a_declined_device_is_told_when_to_come_back(cast, moved_clock):
    statement = make_statement()
    issued = make_code(statement)
    decline(statement, cast.alice)
    answer = by_serial(statement)
    assert_problem(answer, 410, "enrolment-closed")
    assert 3590 <= int(answer["Retry-After"]) <= 3601
    assert by_code(issued.code).status_code == 410
    moved_clock.advance(seconds=int(answer["Retry-After"]))
    assert by_serial(statement).status_code == 202


def test_a_silent_device_starts_over_after_a_day(moved_clock):
    statement = make_statement()
    by_serial(statement)
    moved_clock.advance(hours=24)
    assert by_serial(statement).status_code == 202
    states = Enrolment.objects.filter(serial_number=statement.serial_number).order_by("pk")
    assert [row.state for row in states] == [EnrolmentState.EXPIRED, EnrolmentState.WAITING]


def test_polling_keeps_an_enrolment_alive(moved_clock):
    statement = make_statement()
    for _ in range(5):
        assert by_serial(statement).status_code == 202
        moved_clock.advance(hours=23)
    assert Enrolment.objects.filter(serial_number=statement.serial_number).count() == 1


def test_polling_too_fast_is_refused_with_the_time_to_wait(settings):
    settings.POLL_MINIMUM_INTERVAL = 60
    statement = make_statement()
    assert by_serial(statement).status_code == 202
    answer = by_serial(statement)
    assert_problem(answer, 429, "too-many-requests")
    assert answer["Retry-After"] == "5"
    assert by_serial(make_statement()).status_code == 202


def test_polling_too_fast_in_another_spelling_is_refused_too(settings):
    settings.POLL_MINIMUM_INTERVAL = 60
    serial = unique("sn")
    assert post(POLL, {"serialNumber": serial}).status_code == 202
    assert_problem(post(POLL, {"serialNumber": serial.upper()}), 429, "too-many-requests")


def test_guessing_codes_is_limited_for_a_network(settings):
    settings.DEVICE_MISSES_PER_MINUTE = 3
    issued = make_code()
    for _ in range(3):
        assert_problem(by_code("222222"), 404, "unknown-code")
    assert_problem(by_code(issued.code), 429, "too-many-requests")
    # A device that names its serial number is not kept out by its neighbour's guesses.
    assert by_serial(make_statement()).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"serialNumber": "SN-1", "provisioningCode": "222222"},
        {"provisioningCode": "2" * 33},
        {"serialNumber": 0.5j},
    ],
    ids=["neither", "both", "overlong", "nothing"],
)
def test_it_takes_a_serial_number_or_a_code(body):
    if any(isinstance(value, complex) for value in body.values()):
        body = {"serialNumber": None}
    assert_problem(post(POLL, body), 400, "invalid-request")


def test_unknown_members_are_ignored():
    assert post(POLL, {"serialNumber": unique("SN"), "deviceSecret": "x"}).status_code == 202


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"serialNumber":"a","serialNumber":"b"}'])
def test_what_is_no_json_object_is_refused(body):
    assert_problem(raw(POLL, body), 400, "malformed-request" if body else "invalid-request")


def test_another_content_type_is_refused():
    assert_problem(raw(POLL, b"serialNumber=SN-1", "application/x-www-form-urlencoded"), 415, "unsupported-media-type")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_refused(method):
    assert_problem(api_client().generic(method, POLL), 405, "method-not-allowed")


def test_without_the_lane_a_preference_is_answered_at_once():
    answer = post(POLL, {"serialNumber": unique("SN")}, **{"Prefer": "wait=25"})
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer


def test_a_poll_costs_a_bounded_number_of_queries(django_assert_max_num_queries):
    statement = make_statement()
    by_serial(statement)
    with django_assert_max_num_queries(1):
        by_serial(statement)


def test_a_device_id_is_no_serial_number_of_a_device():
    assert post(POLL, {"serialNumber": str(uuid.uuid4())}).status_code == 202


def test_one_network_may_make_up_only_so_many_serial_numbers(settings):
    settings.ENROLMENTS_PER_MINUTE = 3
    for _ in range(3):
        assert by_serial(make_statement()).status_code == 202
    assert_problem(by_serial(make_statement()), 429, "too-many-requests")
    assert Enrolment.objects.count() == 3
