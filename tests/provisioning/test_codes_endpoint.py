"""POST /api/v1/provisioning/codes."""

import json
from datetime import datetime, timedelta

import pytest

from provisioning.codes import ALPHABET
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.states import CodeState, EnrolmentState
from tests.base import collect, decline, make_poll_token, make_statement, poll, unique, unlock
from tests.http import CODES, assert_for_devices, assert_problem, post, raw

pytestmark = pytest.mark.django_db


def test_it_issues_a_code_as_the_protocol_says(moved_clock):
    serial = unique("SN")
    answer = post(CODES, {"serialNumber": serial})
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"provisioningCode", "expiresAt", "expiresIn", "verificationUri", "verificationUriComplete"}
    assert len(body["provisioningCode"]) == 6 and set(body["provisioningCode"]) <= set(ALPHABET)
    assert body["expiresIn"] == 300
    assert body["expiresAt"].endswith("Z")
    expires_at = datetime.fromisoformat(body["expiresAt"])
    assert abs(expires_at - moved_clock.moment - timedelta(seconds=300)) < timedelta(milliseconds=1)
    assert body["verificationUri"] == "http://testserver/claim"
    assert body["verificationUriComplete"] == f"http://testserver/claim?code={body['provisioningCode']}"
    assert answer["Cache-Control"] == "no-store"
    assert_for_devices(answer)


def test_a_serial_number_that_was_never_seen_starts_an_enrolment_with_what_the_device_says():
    serial, attributes = unique("SN"), {"model": "lamp", "cores": 4, "heavy": False, "load": 0.5}
    post(CODES, {"serialNumber": f"  {serial} ", "product": "lamp-2", "attributes": attributes})
    enrolment = Enrolment.objects.get(serial_number=serial)
    assert enrolment.state == EnrolmentState.WAITING
    assert enrolment.stated_product == "lamp-2"
    assert enrolment.attributes == attributes


def test_what_the_device_leaves_out_later_stays_as_it_was():
    serial = unique("SN")
    post(CODES, {"serialNumber": serial, "product": "one", "attributes": {"a": 1}})
    post(CODES, {"serialNumber": serial, "product": "two"})
    enrolment = Enrolment.objects.get(serial_number=serial)
    assert (enrolment.stated_product, enrolment.attributes) == ("two", {"a": 1})


def test_only_a_digest_of_the_code_is_kept():
    code = post(CODES, {"serialNumber": unique("SN")}).json()["provisioningCode"]
    row = ProvisioningCode.objects.get()
    assert code not in json.dumps(list(ProvisioningCode.objects.values()), default=str)
    assert code not in f"{row} {row!r}"


def test_asking_again_replaces_the_code():
    serial = unique("SN")
    first, second = (post(CODES, {"serialNumber": serial}).json()["provisioningCode"] for _ in range(2))
    assert first != second
    states = list(ProvisioningCode.objects.order_by("pk").values_list("state", flat=True))
    assert states == [CodeState.REVOKED, CodeState.ISSUED]


def test_a_fourth_code_in_five_minutes_is_refused_until_the_first_is_over(moved_clock):
    serial = unique("SN")
    for _ in range(3):
        assert post(CODES, {"serialNumber": serial}).status_code == 201
        moved_clock.advance(seconds=60)
    answer = post(CODES, {"serialNumber": serial})
    document = assert_problem(answer, 429, "too-many-codes")
    assert document["retryAfter"] == int(answer["Retry-After"])
    moved_clock.advance(seconds=int(answer["Retry-After"]) - 2)
    assert_problem(post(CODES, {"serialNumber": serial}), 429, "too-many-codes")
    moved_clock.advance(seconds=2)
    assert post(CODES, {"serialNumber": serial}).status_code == 201


def test_serial_numbers_are_compared_without_regard_to_case():
    serial = unique("sn")
    post(CODES, {"serialNumber": serial})
    post(CODES, {"serialNumber": serial.upper()})
    assert Enrolment.objects.count() == 1


def test_two_poll_tokens_are_two_enrolments():
    serial = unique("SN")
    for _ in range(2):
        assert post(CODES, {"serialNumber": serial, "pollToken": make_poll_token()}).status_code == 201
    assert Enrolment.objects.filter(serial_number=serial).count() == 2


def test_unknown_members_are_ignored():
    assert post(CODES, {"serialNumber": unique("SN"), "colour": "blue", "": None}).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"serialNumber": None}, "serialNumber"),
        ({"serialNumber": ""}, "serialNumber"),
        ({"serialNumber": "   "}, "serialNumber"),
        ({"serialNumber": "- -"}, "serialNumber"),
        ({"serialNumber": "S" * 65}, "serialNumber"),
        ({"serialNumber": "SN\u00e9"}, "serialNumber"),
        ({"serialNumber": "SN\n1"}, "serialNumber"),
        ({"serialNumber": "SN\x001"}, "serialNumber"),
        ({"serialNumber": ["SN"]}, "serialNumber"),
        ({"serialNumber": {"$ne": ""}}, "serialNumber"),
        ({"serialNumber": True}, "serialNumber"),
        ({"product": "p" * 65}, "product"),
        ({"product": "p\x00"}, "product"),
        ({"product": ["p"]}, "product"),
        ({"pollToken": "short"}, "pollToken"),
        ({"pollToken": "x" * 129}, "pollToken"),
        ({"pollToken": "x" * 31 + "!"}, "pollToken"),
        ({"pollToken": None}, "pollToken"),
        ({"attributes": []}, "attributes"),
        ({"attributes": "text"}, "attributes"),
        ({"attributes": {"": 1}}, "attributes"),
        ({"attributes": {"a" * 65: 1}}, "attributes"),
        ({"attributes": {"a\n": 1}}, "attributes"),
        ({"attributes": {"a": "b" * 257}}, "attributes"),
        ({"attributes": {"a": "b\u202e"}}, "attributes"),
        ({"attributes": {"a": "b\x00"}}, "attributes"),
        ({"attributes": {"a": None}}, "attributes"),
        ({"attributes": {"a": [1]}}, "attributes"),
        ({"attributes": {"a": {"b": 1}}}, "attributes"),
        ({"attributes": {"a": 2**53}}, "attributes"),
        ({"attributes": {f"a{number}": 1 for number in range(17)}}, "attributes"),
    ],
    ids=str,
)
def test_a_wrong_member_is_named(change, field):
    document = assert_problem(post(CODES, {"serialNumber": "SN-1", **change}), 400, "invalid-request")
    assert [error["field"].split(".")[0] for error in document["errors"]] == [field]
    assert not Enrolment.objects.exists()


def test_a_missing_serial_number_is_named():
    document = assert_problem(post(CODES, {}), 400, "invalid-request")
    assert document["errors"][0]["field"] == "serialNumber"


def test_numbers_too_great_for_any_reader_are_refused():
    assert_problem(raw(CODES, b'{"serialNumber": "SN-1", "attributes": {"a": 1e999}}'), 400, "invalid-request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"SN-1"',
        b"{'serialNumber': 'SN-1'}",
        b'{"serialNumber": "SN-1",}',
        b'{"serialNumber": "SN-1", "serialNumber": "SN-2"}',
        b'{"serialNumber": "SN-1", "attributes": {"a": 1, "a": 2}}',
        b'{"serialNumber": "SN-1", "attributes": {"a": NaN}}',
        b'{"serialNumber": "SN-1", "attributes": {"a": -Infinity}}',
        b'{"serialNumber": "SN-1", "attributes": {"a": "\\ud800"}}',
        b'{"serialNumber": "SN-1", "product": "\xff\xfe"}',
        b'{"serialNumber": "SN-1", "attributes": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"serialNumber": "SN-1", "attributes": {"a": ' + b"9" * 5000 + b"}}",
    ],
    ids=lambda body: repr(body[:60]),
)
def test_what_is_no_json_object_is_refused(body):
    answer = raw(CODES, body)
    assert_problem(answer, 400, "invalid-request" if not body else "malformed-request")
    assert not Enrolment.objects.exists()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"],
)
def test_another_content_type_is_refused(content_type):
    assert_problem(raw(CODES, b'{"serialNumber": "SN-1"}', content_type), 415, "unsupported-media-type")


def test_a_charset_in_the_content_type_does_no_harm():
    body = json.dumps({"serialNumber": unique("SN")}).encode()
    assert raw(CODES, body, "application/json; charset=utf-8").status_code == 201


def test_a_body_over_the_limit_is_refused():
    body = json.dumps({"serialNumber": "SN-1", "product": "x" * 65536}).encode()
    assert_problem(raw(CODES, body), 413, "payload-too-large")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(method):
    from tests.base import api_client

    answer = api_client().generic(method, CODES)
    assert_problem(answer, 405, "method-not-allowed")
    assert "POST" in answer["Allow"]


def test_a_slash_too_many_is_no_redirect():
    answer = post(CODES + "/", {"serialNumber": "SN-1"})
    assert_problem(answer, 404, "not-found")


def test_cookies_and_csrf_play_no_part():
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    answer = client.post(CODES, json.dumps({"serialNumber": unique("SN")}), content_type="application/json")
    assert answer.status_code == 201
    assert not answer.cookies


def test_a_device_that_was_let_in_has_only_to_poll(cast):
    statement = make_statement()
    poll(statement)
    unlock(statement, cast.tenant_a)
    assert_problem(post(CODES, {"serialNumber": statement.serial_number}), 409, "invalid-transition")


def test_a_device_that_came_aboard_gets_no_code(cast):
    statement = make_statement()
    poll(statement)
    unlock(statement, cast.tenant_a)
    collect(statement)
    assert_problem(post(CODES, {"serialNumber": statement.serial_number}), 410, "already-provisioned")


def test_a_declined_device_gets_no_code_for_an_hour(cast, moved_clock):
    statement = make_statement()
    poll(statement)
    decline(statement, cast.alice)
    answer = post(CODES, {"serialNumber": statement.serial_number})
    assert_problem(answer, 410, "enrolment-closed")
    assert 3590 <= int(answer["Retry-After"]) <= 3601
    moved_clock.advance(seconds=int(answer["Retry-After"]))
    assert post(CODES, {"serialNumber": statement.serial_number}).status_code == 201


def test_one_network_may_ask_only_so_often(settings):
    settings.ENROLMENTS_PER_MINUTE = 3
    answers = [post(CODES, {"serialNumber": unique("SN")}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert_problem(answers[-1], 429, "too-many-requests")


def test_asking_costs_a_bounded_number_of_queries(django_assert_max_num_queries):
    serial = unique("SN")
    post(CODES, {"serialNumber": serial})
    with django_assert_max_num_queries(20):
        post(CODES, {"serialNumber": serial})
