"""Provisioning tokens on the device REST API, and serial numbers that were let in before."""

import pytest

from devices.models import Device
from provisioning.models import Enrolment
from provisioning.services.approvals import approve_operation, decline_operation
from provisioning.services.tokens import revoke_provisioning_token
from provisioning.token_models import Approval
from tests.base import api_client, make_poll_token, make_tenant, unique
from tests.http import CODES, POLL, assert_problem, post
from tests.provisioning.ways.props import SYSTEM, fresh, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(db):
    return make_token(make_tenant())


@pytest.fixture(autouse=True)
def unpaced(settings):
    settings.POLL_MINIMUM_INTERVAL = 0


def ask(path, body, secret):
    return post(path, body, Authorization=f"Bearer {secret}")


def body(**kw):
    return {"serialNumber": unique("SN"), "pollToken": make_poll_token(), **kw}


def test_asking_for_a_code_begins_an_operation(made, settings):
    token, secret = made
    answer = ask(CODES, body(deviceId="press-7", attributes={"fw": "1"}), secret)
    assert answer.status_code == 201 and answer["Cache-Control"] == "no-store"
    document = answer.json()
    operation = Enrolment.objects.get(public_id=document["operationId"])
    assert document["status"] == "waiting"
    assert document["verificationCode"] == operation.verification_code
    assert settings.OPERATION_LIFETIME - 2 <= document["expiresIn"] <= settings.OPERATION_LIFETIME
    assert (operation.token, operation.requested_id, operation.attributes) == (token, "press-7", {"fw": "1"})


def test_the_whole_way(made):
    token, secret = made
    device = body()
    begun = ask(CODES, device, secret).json()
    pending = ask(POLL, device, secret)
    assert pending.status_code == 202 and pending["Retry-After"]
    assert pending.json()["verificationCode"] == begun["verificationCode"]
    assert pending.json()["expiresAt"] == begun["expiresAt"]
    approve_operation(operation=Enrolment.objects.get(public_id=begun["operationId"]), actor=SYSTEM)
    given = ask(POLL, device, secret)
    assert given.status_code == 200
    assert given.json() == ask(POLL, device, secret).json()
    confirm = api_client().post(
        "/api/v1/provisioning/confirm", headers=basic(given.json()["deviceId"], given.json()["deviceSecret"])
    )
    assert confirm.status_code == 204
    assert_problem(ask(POLL, device, secret), 410, "already-provisioned")
    assert Device.objects.get(public_id=given.json()["deviceId"]).tenant == token.tenant


def basic(user, password):
    import base64

    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def test_with_automatic_approval_one_poll_is_enough():
    _, secret = make_token(make_tenant(), approval=Approval.AUTOMATIC)
    assert ask(POLL, body(), secret).status_code == 200


def test_with_automatic_approval_asking_for_a_code_says_approved_and_once_more_says_poll():
    _, secret = make_token(make_tenant(), approval=Approval.AUTOMATIC)
    device = body()
    assert ask(CODES, device, secret).json()["status"] == "approved"
    assert_problem(ask(CODES, device, secret), 409, "invalid-transition")
    assert ask(POLL, device, secret).status_code == 200


def test_a_new_attempt_has_a_new_code_and_the_old_one_is_superseded(made):
    _, secret = made
    device = body()
    first, second = ask(CODES, device, secret).json(), ask(CODES, device, secret).json()
    assert first["verificationCode"] != second["verificationCode"]
    assert Enrolment.objects.get(public_id=first["operationId"]).state == "superseded"


@pytest.mark.parametrize("header", ["Bearer gwp_nonsense", "Bearer", "Bearer  ", "Basic YTpi", "DeviceToken x"])
@pytest.mark.parametrize("path", [CODES, POLL])
def test_what_is_no_token_is_refused(db, path, header):
    answer = post(path, body(), Authorization=header)
    assert_problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="gangway"'
    assert not Enrolment.objects.exists()


def test_a_revoked_token_is_refused(made):
    token, secret = made
    device = body()
    ask(CODES, device, secret)
    revoke_provisioning_token(token=token, actor=SYSTEM)
    for path in (CODES, POLL):
        assert_problem(ask(path, device, secret), 401, "unauthenticated")


def test_a_used_up_token_is_refused(made):
    _, secret = make_token(make_tenant(), use_limit=1, approval=Approval.AUTOMATIC)
    ask(POLL, body(), secret)
    assert_problem(ask(POLL, body(), secret), 403, "token-used-up")


def test_after_a_decline_it_is_told_to_stay_away(made):
    _, secret = made
    device = body()
    begun = ask(CODES, device, secret).json()
    decline_operation(operation=Enrolment.objects.get(public_id=begun["operationId"]), actor=SYSTEM)
    for path in (CODES, POLL):
        answer = ask(path, device, secret)
        assert_problem(answer, 410, "enrolment-closed")
        assert int(answer["Retry-After"]) > 3000


def test_an_operation_is_its_tokens(made):
    _, secret = made
    device = body()
    begun = ask(CODES, device, secret).json()
    approve_operation(operation=Enrolment.objects.get(public_id=begun["operationId"]), actor=SYSTEM)
    _, other = make_token(make_tenant())
    assert ask(POLL, device, other).status_code == 202
    assert post(POLL, device).status_code == 202
    assert ask(POLL, {**device, "pollToken": make_poll_token()}, secret).status_code == 202
    assert ask(POLL, device, secret).status_code == 200


def test_another_poller_with_the_token_waits_on_its_own(made):
    _, secret = made
    device = body()
    ask(CODES, device, secret)
    other = {**device, "pollToken": make_poll_token()}
    assert ask(POLL, other, secret).status_code == 202
    assert_problem(ask(POLL, device, secret), 410, "enrolment-closed")
    assert ask(CODES, device, secret).status_code == 201


def test_codes_are_not_polled_with_a_token(made):
    assert_problem(ask(POLL, {"provisioningCode": "K7M2QX"}, made[1]), 400, "invalid-request")


@pytest.mark.parametrize("wrong", ["abc", "x" * 91, "bad id!", 7, None])
@pytest.mark.parametrize("path", [CODES, POLL])
def test_what_is_no_device_id_is_named(made, path, wrong):
    answer = ask(path, body(deviceId=wrong), made[1])
    if wrong == 7:
        # A number is no id, and would be too short for one.
        assert answer.status_code == 400
    assert assert_problem(answer, 400, "invalid-request")["errors"][0]["field"] == "deviceId"


def test_the_token_is_not_echoed_and_not_logged(made, caplog):
    _, secret = made
    caplog.set_level("DEBUG")
    answer = ask(CODES, body(), secret)
    assert secret not in answer.content.decode() + caplog.text
    assert fresh(made[0]).digest not in answer.content.decode()
