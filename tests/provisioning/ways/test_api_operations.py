"""Operations and provisioning tokens on the management API."""

import pytest

from devices.models import Device, Membership, Role
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.services.approvals import approve_operation
from provisioning.token_models import DeviceIdPolicy
from tests.base import api_client, make_product
from tests.http import assert_problem
from tests.provisioning.ways.props import SYSTEM, fresh, make_operation, make_token, without_serial

pytestmark = pytest.mark.django_db

TOKENS = "/api/v1/provisioning-tokens"
OPERATIONS = "/api/v1/operations"


@pytest.fixture
def token(cast):
    return make_token(cast.tenant_a, device_id_policy=DeviceIdPolicy.EITHER_MAY)[0]


def post(user, path, body=None):
    return api_client(user).post(path, body or {}, format="json")


def get(user, path, **query):
    return api_client(user).get(path, query)


class TestTokens:
    def test_an_administrator_makes_one_and_sees_its_secret_once(self, cast):
        answer = post(cast.alice, TOKENS, {"name": "line 3", "useLimit": 5, "maximumCredentialLifetime": 3600})
        assert answer.status_code == 201 and answer["Cache-Control"] == "no-store"
        document = answer.json()
        token = ProvisioningToken.objects.get(public_id=document["id"])
        assert (token.tenant, token.use_limit, token.created_by) == (cast.tenant_a, 5, cast.alice)
        secret = document["secret"]
        for path in (TOKENS, f"{TOKENS}/{document['id']}"):
            later = get(cast.alice, path)
            assert later.status_code == 200
            assert secret not in later.content.decode() and "secret" not in later.json()
        assert get(cast.alice, f"{TOKENS}/{document['id']}").json() == {
            name: value for name, value in document.items() if name != "secret"
        }

    def test_with_everything_one_can_say(self, cast):
        product = make_product(cast.tenant_a)
        body = {
            "name": "x", "tenant": str(cast.tenant_a.public_id), "product": product.code, "deviceIdPolicy": "fixed",
            "deviceId": "press-7", "approval": "automatic", "expiresAt": "2100-01-01T00:00:00Z",
        }  # fmt: skip
        document = post(cast.alice, TOKENS, body).json()
        assert document["product"] == product.code
        assert (document["deviceIdPolicy"], document["deviceId"]) == ("fixed", "press-7")
        assert (document["approval"], document["expiresAt"]) == ("automatic", "2100-01-01T00:00:00.000Z")
        assert document["state"] == "usable"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""), ("name", "x" * 101), ("name", None), ("tenant", "x"), ("product", "nonsense"),
            ("deviceIdPolicy", "anybody"), ("deviceId", "a b"), ("approval", "never"), ("useLimit", 0),
            ("useLimit", -1), ("useLimit", 2**40), ("maximumCredentialLifetime", 1), ("expiresAt", "yesterday"),
            ("expiresAt", "2000-01-01T00:00:00Z"),
        ],
    )  # fmt: skip
    def test_a_wrong_member_is_named(self, cast, field, value):
        answer = post(cast.alice, TOKENS, {"name": "x", field: value})
        assert assert_problem(answer, 400, "invalid-request")["errors"][0]["field"] == field
        assert not ProvisioningToken.objects.exists()

    def test_oversize_and_malformed_bodies_are_refused(self, cast):
        assert_problem(post(cast.alice, TOKENS, {"name": "x" * 70_000}), 413, "payload-too-large")
        answer = api_client(cast.alice).generic("POST", TOKENS, b"{", content_type="application/json")
        assert_problem(answer, 400, "malformed-request")

    def test_technicians_may_not(self, cast, token):
        assert_problem(post(cast.bob, TOKENS, {"name": "x"}), 403, "forbidden")
        assert_problem(get(cast.bob, f"{TOKENS}/{token.public_id}"), 403, "forbidden")
        assert_problem(post(cast.bob, f"{TOKENS}/{token.public_id}/revoke"), 403, "forbidden")
        assert get(cast.bob, TOKENS).json()["provisioningTokens"] == []
        assert_problem(get(cast.bob, TOKENS, tenant=cast.tenant_a.public_id), 403, "forbidden")
        assert fresh(token).revoked_at is None

    def test_to_outsiders_there_are_none(self, cast, token):
        body = {"name": "x", "tenant": str(cast.tenant_a.public_id)}
        assert_problem(post(cast.charlie, TOKENS, body), 404, "not-found")
        assert_problem(get(cast.charlie, f"{TOKENS}/{token.public_id}"), 404, "not-found")
        assert_problem(post(cast.charlie, f"{TOKENS}/{token.public_id}/revoke"), 404, "not-found")
        assert get(cast.charlie, TOKENS).json()["provisioningTokens"] == []
        assert_problem(get(None, TOKENS), 401, "unauthenticated")

    def test_revoking_ends_it_however_often_it_is_said(self, cast, token):
        operation = without_serial(token)
        for _ in range(2):
            assert post(cast.alice, f"{TOKENS}/{token.public_id}/revoke").status_code == 204
        assert get(cast.alice, f"{TOKENS}/{token.public_id}").json()["state"] == "revoked"
        assert fresh(operation).state == "expired"

    def test_pages(self, cast):
        made = [str(make_token(cast.tenant_a)[0].public_id) for _ in range(5)]
        seen, after = [], None
        while True:
            page = get(cast.alice, TOKENS, limit=2, **({"after": after} if after else {})).json()
            seen += [row["id"] for row in page["provisioningTokens"]]
            if not (after := page["next"]):
                break
        assert seen == made[::-1]
        assert_problem(get(cast.alice, TOKENS, limit=0), 400, "invalid-request")
        assert_problem(get(cast.alice, TOKENS, after="x"), 400, "invalid-request")


class TestOperations:
    def test_a_technician_compares_the_code_and_approves(self, cast, token):
        operation = make_operation(token, "AB-1")
        found = get(cast.bob, f"{OPERATIONS}/{operation.verification_code.lower()}").json()
        assert found["id"] == str(operation.public_id)
        assert (found["serialNumber"], found["state"], found["replaces"]) == ("AB-1", "waiting", None)
        answer = post(cast.bob, f"{OPERATIONS}/{found['id']}/approve", {"deviceId": "press-7", "name": "Press"})
        assert answer.status_code == 200
        document = answer.json()
        assert (document["externalId"], document["name"]) == ("press-7", "Press")
        assert document["activateBy"] is None
        assert get(cast.bob, f"{OPERATIONS}/{found['id']}").json()["deviceId"] == document["id"]

    def test_what_it_would_replace_is_said(self, cast, token):
        device = approve_operation(operation=without_serial(token, "press-7"), actor=SYSTEM)
        operation = without_serial(make_token(cast.tenant_a)[0], "press-7")
        assert get(cast.bob, f"{OPERATIONS}/{operation.public_id}").json()["replaces"] == str(device.public_id)

    def test_a_technician_declines(self, cast, token):
        operation = without_serial(token)
        assert post(cast.bob, f"{OPERATIONS}/{operation.public_id}/decline").status_code == 204
        assert fresh(operation).state == "declined"
        for verb in ("approve", "decline"):
            assert_problem(post(cast.bob, f"{OPERATIONS}/{operation.public_id}/{verb}"), 409, "invalid-transition")

    def test_it_is_over_by_the_clock(self, cast, token, moved_clock):
        operation = without_serial(token)
        moved_clock.advance(hours=2)
        assert get(cast.bob, f"{OPERATIONS}/{operation.public_id}").json()["state"] == "expired"
        assert_problem(get(cast.bob, f"{OPERATIONS}/{operation.verification_code}"), 404, "not-found")
        for verb in ("approve", "decline"):
            assert_problem(post(cast.bob, f"{OPERATIONS}/{operation.public_id}/{verb}"), 409, "invalid-transition")

    def test_viewers_look_and_do_not_decide(self, cast, token):
        operation = without_serial(token)
        assert get(cast.vera, f"{OPERATIONS}/{operation.public_id}").status_code == 200
        for verb in ("approve", "decline"):
            assert_problem(post(cast.vera, f"{OPERATIONS}/{operation.public_id}/{verb}"), 403, "forbidden")
        assert fresh(operation).state == "waiting"

    def test_to_outsiders_there_are_none(self, cast, token):
        operation = without_serial(token)
        for key in (operation.public_id, operation.verification_code):
            assert_problem(get(cast.charlie, f"{OPERATIONS}/{key}"), 404, "not-found")
        for verb in ("approve", "decline"):
            assert_problem(post(cast.charlie, f"{OPERATIONS}/{operation.public_id}/{verb}"), 404, "not-found")
        assert get(cast.charlie, OPERATIONS).json()["operations"] == []
        assert_problem(get(cast.charlie, OPERATIONS, tenant=cast.tenant_a.public_id), 404, "not-found")
        assert fresh(operation).state == "waiting"

    @pytest.mark.parametrize("key", ["nonsense", "K7M2QX", "K7M2QX2", "%00", "5e0f6d5c-0000-4000-8000-000000000000"])
    def test_what_is_none_is_not_found(self, cast, key):
        assert_problem(get(cast.bob, f"{OPERATIONS}/{key}"), 404, "not-found")

    def test_a_plain_enrolment_is_none(self, cast):
        from tests.base import make_device

        device = make_device(cast.tenant_a)
        enrolment = Enrolment.objects.get(device=device)
        assert_problem(get(cast.bob, f"{OPERATIONS}/{enrolment.public_id}"), 404, "not-found")

    def test_a_code_that_two_of_ones_tenants_have_needs_the_tenant(self, cast, token):
        Membership.objects.create(user=cast.bob, tenant=cast.tenant_b, role=Role.VIEWER)
        mine, other = without_serial(token), without_serial(make_token(cast.tenant_b)[0])
        Enrolment.objects.filter(pk=other.pk).update(verification_code=mine.verification_code)
        path = f"{OPERATIONS}/{mine.verification_code}"
        assert_problem(get(cast.bob, path), 400, "invalid-request")
        assert get(cast.bob, path, tenant=cast.tenant_a.public_id).json()["id"] == str(mine.public_id)
        assert_problem(post(cast.bob, f"{OPERATIONS}/{other.public_id}/approve"), 403, "forbidden")

    def test_pages_and_filters(self, cast, token):
        made = [without_serial(token) for _ in range(3)]
        post(cast.bob, f"{OPERATIONS}/{made[0].public_id}/decline")
        page = get(cast.bob, OPERATIONS, limit=2).json()
        assert [row["id"] for row in page["operations"]] == [str(row.public_id) for row in made[:0:-1]]
        rest = get(cast.bob, OPERATIONS, limit=2, after=page["next"]).json()
        assert [row["state"] for row in rest["operations"]] == ["declined"] and rest["next"] is None
        assert len(get(cast.bob, OPERATIONS, waiting="true").json()["operations"]) == 2

    def test_a_list_costs_the_same_however_long_it_is(self, cast, token, django_assert_max_num_queries):
        for _ in range(10):
            without_serial(token)
        client = api_client(cast.bob)
        client.get(OPERATIONS)
        with django_assert_max_num_queries(4):
            client.get(OPERATIONS)

    @pytest.mark.parametrize("body", [{"deviceId": "a b"}, {"deviceId": 3.5}, {"name": "x" * 101}, {"name": {}}])
    def test_a_wrong_member_is_named(self, cast, token, body):
        operation = without_serial(token)
        answer = post(cast.bob, f"{OPERATIONS}/{operation.public_id}/approve", body)
        assert assert_problem(answer, 400, "invalid-request")["errors"][0]["field"] == next(iter(body))
        assert not Device.objects.filter(tenant=cast.tenant_a).exists()

    def test_an_id_the_policy_forbids_is_refused(self, cast):
        operation = without_serial(make_token(cast.tenant_a, device_id_policy=DeviceIdPolicy.FIXED)[0])
        answer = post(cast.bob, f"{OPERATIONS}/{operation.public_id}/approve", {"deviceId": "press-7"})
        assert_problem(answer, 400, "device-id-not-allowed")
