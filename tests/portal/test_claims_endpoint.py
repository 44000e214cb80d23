"""POST /api/v1/claims."""

import pytest

from devices.models import Device, Membership, Role
from provisioning.budget import FREE_WRONG
from tests.base import (
    api_client,
    make_code,
    make_poll_token,
    make_product,
    make_statement,
    no_such_id,
    poll,
    unique,
    unlock,
)
from tests.http import assert_problem

pytestmark = pytest.mark.django_db
CLAIMS = "/api/v1/claims"


def claim(user, **body):
    return api_client(user).post(CLAIMS, body, format="json")


def waiting():
    statement = make_statement()
    poll(statement)
    return statement


@pytest.mark.parametrize("how", ["code", "serial"])
@pytest.mark.parametrize("who", ["alice", "bob"])
def test_it_lets_the_device_in(cast, how, who):
    statement = make_statement(attributes={"a": 1})
    code = make_code(statement).code
    by = {"provisioningCode": f" {code.lower()} "} if how == "code" else {"serialNumber": statement.serial_number}
    answer = claim(getattr(cast, who), **by, name="Lamp")
    assert answer.status_code == 201
    device = Device.objects.get(serial_number=statement.serial_number)
    body = answer.json()
    assert {
        key: body[key] for key in ("id", "name", "serialNumber", "tenantId", "product", "dataResidency", "state")
    } == {
        "id": str(device.public_id),
        "name": "Lamp",
        "serialNumber": statement.serial_number,
        "tenantId": str(cast.tenant_a.public_id),
        "product": None,
        "dataResidency": "eu",
        "state": "active",
    }
    assert body["attributes"] == {"a": 1}
    assert body["presence"]["state"] == "offline"
    assert device.claimed_by == getattr(cast, who)


def test_a_viewer_may_not(cast):
    assert_problem(claim(cast.vera, serialNumber=waiting().serial_number), 403, "forbidden")
    assert_problem(claim(cast.vera, serialNumber="x", tenant=str(cast.tenant_a.public_id)), 403, "forbidden")
    assert not Device.objects.exists()


def test_support_staff_is_a_member_of_nothing(cast):
    assert_problem(claim(cast.dora, serialNumber=waiting().serial_number), 403, "forbidden")


def test_somebody_elses_tenant_is_not_there(cast):
    answer = claim(cast.charlie, serialNumber=waiting().serial_number, tenant=str(cast.tenant_a.public_id))
    assert_problem(answer, 404, "not-found")
    assert_problem(claim(cast.charlie, serialNumber="x", tenant=no_such_id()), 404, "not-found")


def test_members_of_several_tenants_say_which(cast):
    Membership.objects.create(user=cast.alice, tenant=cast.tenant_b, role=Role.TECHNICIAN)
    statement = waiting()
    document = assert_problem(claim(cast.alice, serialNumber=statement.serial_number), 400, "invalid-request")
    assert document["errors"][0]["field"] == "tenant"
    tenant = str(cast.tenant_b.public_id)
    assert claim(cast.alice, serialNumber=statement.serial_number, tenant=tenant).json()["tenantId"] == tenant


def test_the_product_is_one_of_the_tenants(cast):
    make_product(cast.tenant_a, "lamp")
    make_product(cast.tenant_b, "door")
    statement = waiting()
    document = assert_problem(
        claim(cast.alice, serialNumber=statement.serial_number, product="door"), 400, "invalid-request"
    )
    assert document["errors"][0]["field"] == "product"
    assert claim(cast.alice, serialNumber=statement.serial_number, product="lamp").json()["product"] == "lamp"


def test_unknown_used_and_expired_codes_are_refused_alike(cast, moved_clock):
    expired = make_code().code
    moved_clock.advance(seconds=300)
    used = make_code().code
    assert claim(cast.bob, provisioningCode=used).status_code == 201
    answers = [claim(cast.bob, provisioningCode=code) for code in (expired, used, "222222", "no code")]
    details = {assert_problem(answer, 404, "code-not-usable")["detail"] for answer in answers}
    assert len(details) == 1


def test_a_serial_number_that_does_not_wait_opens_a_window(cast):
    answer = claim(cast.bob, serialNumber=unique("SN"))
    assert answer.status_code == 201
    assert answer.json()["activateBy"]


def test_a_code_together_with_another_serial_number_is_refused(cast):
    code = make_code().code
    assert_problem(claim(cast.bob, provisioningCode=code, serialNumber=unique("SN")), 404, "code-not-usable")


def test_a_contested_serial_number_needs_the_code(cast):
    statement = make_statement(poll_token=make_poll_token())
    code = make_code(statement).code
    poll(make_statement(statement.serial_number))
    assert_problem(claim(cast.bob, serialNumber=statement.serial_number), 409, "contested-serial")
    assert_problem(claim(cast.bob, provisioningCode=code), 409, "match-number-needed")
    shown = poll(statement).match_number
    assert claim(cast.bob, provisioningCode=code, matchNumber=shown).status_code == 201


def test_one_wrong_match_number_closes_the_enrolment(cast):
    statement = make_statement(poll_token=make_poll_token())
    code = make_code(statement).code
    poll(make_statement(statement.serial_number))
    assert_problem(claim(cast.bob, provisioningCode=code), 409, "match-number-needed")
    shown = poll(statement).match_number
    wrong = f"{(int(shown) + 50) % 100:02d}"
    assert_problem(claim(cast.bob, provisioningCode=code, matchNumber=wrong), 409, "match-number-wrong")
    assert_problem(claim(cast.bob, provisioningCode=code, matchNumber=shown), 404, "code-not-usable")


def test_a_serial_number_in_use_is_refused(cast):
    from provisioning.models import Enrolment

    statement = waiting()
    unlock(statement, cast.tenant_a)
    Enrolment.objects.update(state="superseded")
    poll(statement)
    assert_problem(claim(cast.bob, serialNumber=statement.serial_number), 409, "serial-in-use")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "provisioningCode"),
        ({"serialNumber": "x", "tenant": "not-a-uuid"}, "tenant"),
        ({"serialNumber": "x", "name": "n" * 101}, "name"),
        ({"serialNumber": "x\x00"}, "serialNumber"),
        ({"serialNumber": "x", "product": None}, "product"),
    ],
    ids=str,
)
def test_a_wrong_member_is_named(cast, body, field):
    document = assert_problem(claim(cast.bob, **body), 400, "invalid-request")
    assert [error["field"] for error in document["errors"]] == [field]


def test_a_name_that_cannot_be_shown_is_refused(cast):
    statement = waiting()
    answer = claim(cast.bob, serialNumber=statement.serial_number, name="a\u202eb")
    assert assert_problem(answer, 400, "invalid-request")["errors"][0]["field"] == "name"


def test_guessing_is_limited_and_a_right_entry_is_no_guess(cast):
    for _ in range(FREE_WRONG):
        assert claim(cast.bob, provisioningCode="222222").status_code == 404
    assert_problem(claim(cast.bob, provisioningCode="222222"), 429, "too-many-requests")
    code = make_code().code
    assert_problem(claim(cast.bob, provisioningCode=code), 429, "too-many-requests")
    assert claim(cast.alice, provisioningCode=code).status_code == 201


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_another_method_is_refused(cast, method):
    assert_problem(api_client(cast.alice).generic(method, CLAIMS), 405, "method-not-allowed")
