"""Products, their lists, re-enabling and transferring on the management API."""

import pytest

from devices.models import ListedSerial, Membership, Role
from tests.base import api_client, make_device, make_product, make_statement, poll, unique
from tests.http import assert_problem
from tests.provisioning.ways.props import fresh, make_listed_product, read

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v1/products"


def post(user, path, body=None):
    return api_client(user).post(path, body or {}, format="json")


def patch(user, path, body):
    return api_client(user).patch(path, body, format="json")


def get(user, path, **query):
    return api_client(user).get(path, query)


def send(user, path, text, content_type="text/csv"):
    data = text if isinstance(text, bytes) else text.encode()
    return api_client(user).generic("POST", path, data, content_type=content_type)


@pytest.fixture
def product(cast):
    return make_product(cast.tenant_a)


@pytest.fixture
def path(product):
    return f"{PRODUCTS}/{product.public_id}"


class TestProducts:
    def test_an_administrator_makes_one(self, cast):
        document = post(cast.alice, PRODUCTS, {"code": "lamp", "name": "A  Lamp"}).json()
        assert (document["code"], document["name"], document["activationWindow"]) == ("lamp", "A Lamp", 86400)
        assert (document["admission"], document["admitsBySerialAlone"]) == ("open", False)
        assert get(cast.vera, f"{PRODUCTS}/{document['id']}").json() == document
        assert get(cast.vera, PRODUCTS).json()["products"] == [document]
        assert_problem(post(cast.alice, PRODUCTS, {"code": "lamp", "name": "B"}), 409, "product-code-in-use")

    @pytest.mark.parametrize("body", [{"code": ""}, {"code": "a b"}, {"code": "x" * 65}, {"name": ""}, {"name": None}])
    def test_a_wrong_member_is_named(self, cast, body):
        answer = post(cast.alice, PRODUCTS, {"code": "lamp", "name": "Lamp", **body})
        assert assert_problem(answer, 400, "invalid-request")["errors"][0]["field"] == next(iter(body))

    def test_window_and_admission_are_changed(self, cast, product, path):
        body = {"activationWindow": 600, "admission": "listed", "admitsBySerialAlone": True, "name": "New"}
        document = patch(cast.alice, path, body).json()
        assert {name: document[name] for name in body} == body
        product = fresh(product)
        assert (product.activation_window, product.admission) == (600, "listed")
        assert product.admits_by_serial_alone is True

    @pytest.mark.parametrize(
        "body", [{"activationWindow": 59}, {"activationWindow": 2**31}, {"admission": "x"}, {"name": " "}]
    )
    def test_a_wrong_change_is_named_and_changes_nothing(self, cast, product, path, body):
        answer = patch(cast.alice, path, body)
        assert assert_problem(answer, 400, "invalid-request")["errors"][0]["field"] == next(iter(body))
        assert fresh(product).activation_window == 86400

    def test_technicians_may_not(self, cast, path):
        assert_problem(post(cast.bob, PRODUCTS, {"code": "x", "name": "x"}), 403, "forbidden")
        assert_problem(patch(cast.bob, path, {"name": "x"}), 403, "forbidden")

    def test_to_outsiders_there_are_none(self, cast, path):
        assert_problem(get(cast.charlie, path), 404, "not-found")
        assert_problem(patch(cast.charlie, path, {"name": "x"}), 404, "not-found")
        assert get(cast.charlie, PRODUCTS).json()["products"] == []
        body = {"code": "x", "name": "x", "tenant": str(cast.tenant_a.public_id)}
        assert_problem(post(cast.charlie, PRODUCTS, body), 404, "not-found")


class TestSerials:
    def test_preview_then_import_then_list_and_export(self, cast, product, path):
        text = "serial\r\nAB-1\r\nkäfer\r\nAB-2\r\n"
        preview = send(cast.alice, f"{path}/serials/preview", text)
        expected = {
            "new": 2, "known": 0, "invalid": 1,
            "invalidLines": [{"line": 3, "reason": "A serial number has 1 to 64 printable ASCII characters."}],
        }  # fmt: skip
        assert preview.json() == expected
        assert not ListedSerial.objects.exists()
        assert_problem(send(cast.alice, f"{path}/serials/import", text), 400, "invalid-request")
        assert send(cast.alice, f"{path}/serials/import?skipInvalid=true", text).json() == expected
        rows = get(cast.vera, f"{path}/serials").json()["serials"]
        assert [(row["serialNumber"], row["state"]) for row in rows] == [("AB-2", "unused"), ("AB-1", "unused")]
        found = get(cast.vera, f"{path}/serials", search="ab 2").json()["serials"]
        assert [row["serialNumber"] for row in found] == ["AB-2"]
        export = get(cast.vera, f"{path}/serials/export")
        assert export["Content-Type"].startswith("text/csv")
        assert export.getvalue() == b"serial_number,state\r\nAB-1,unused\r\nAB-2,unused\r\n"

    def test_a_mark_at_the_beginning_is_none_of_it(self, cast, path):
        assert send(cast.alice, f"{path}/serials/preview", b"\xef\xbb\xbfAB-1\nAB-2").json()["new"] == 2

    def test_pages(self, cast, product, path):
        send(cast.alice, f"{path}/serials/import", "A1\nA2\nA3\n")
        first = get(cast.vera, f"{path}/serials", limit=2).json()
        second = get(cast.vera, f"{path}/serials", limit=2, after=first["next"]).json()
        numbers = [row["serialNumber"] for row in first["serials"] + second["serials"]]
        assert numbers == ["A3", "A2", "A1"] and second["next"] is None

    def test_they_are_removed(self, cast, product, path):
        send(cast.alice, f"{path}/serials/import", "A1\nA2\n")
        answer = api_client(cast.alice).delete(f"{path}/serials", {"serialNumbers": ["a1", "zz"]}, format="json")
        assert answer.json() == {"removed": 1}
        assert ListedSerial.objects.get(product=product).serial_number == "A2"

    @pytest.mark.parametrize(
        "wrong", [{}, {"serialNumbers": []}, {"serialNumbers": ["x"] * 1001}, {"serialNumbers": "x"}]
    )
    def test_a_wrong_removal_is_refused(self, cast, path, wrong):
        answer = api_client(cast.alice).delete(f"{path}/serials", wrong, format="json")
        assert_problem(answer, 400, "invalid-request")

    @pytest.mark.parametrize("verb", ["preview", "import"])
    def test_what_cannot_be_read_is_refused(self, cast, path, verb):
        for text, status, code in [
            (b"\xff\xfe", 400, "malformed-request"),
            (b"A1\n" * 100_001, 413, "payload-too-large"),
            (b"x" * (9 * 1024 * 1024), 413, "payload-too-large"),
            (b"x" * 200_000, 400, "invalid-request"),
        ]:
            assert_problem(send(cast.alice, f"{path}/serials/{verb}", text), status, code)
        answer = send(cast.alice, f"{path}/serials/{verb}", "{}", "application/json")
        assert_problem(answer, 415, "unsupported-media-type")
        assert send(cast.alice, f"{path}/serials/{verb}", "").json()["new"] == 0
        assert not ListedSerial.objects.exists()

    def test_technicians_look_and_do_not_change(self, cast, path):
        assert get(cast.bob, f"{path}/serials").status_code == 200
        for verb in ("preview", "import"):
            assert_problem(send(cast.bob, f"{path}/serials/{verb}", "A1"), 403, "forbidden")
        answer = api_client(cast.bob).delete(f"{path}/serials", {"serialNumbers": ["a"]}, format="json")
        assert_problem(answer, 403, "forbidden")

    def test_to_outsiders_there_is_no_list(self, cast, path):
        for tail in ("", "/export"):
            assert_problem(get(cast.charlie, f"{path}/serials{tail}"), 404, "not-found")
        for verb in ("preview", "import"):
            assert_problem(send(cast.charlie, f"{path}/serials/{verb}", "A1"), 404, "not-found")
        answer = api_client(cast.charlie).delete(f"{path}/serials", {"serialNumbers": ["a"]}, format="json")
        assert_problem(answer, 404, "not-found")


class TestClaims:
    def test_a_serial_number_nobody_polls_with_says_until_when_it_may(self, cast):
        serial = unique("SN")
        answer = post(cast.bob, "/api/v1/claims", {"serialNumber": serial})
        assert answer.status_code == 201
        assert answer.json()["activateBy"]
        assert read(poll(make_statement(serial)))["deviceId"] == answer.json()["id"]

    def test_an_unlisted_one_is_refused(self, cast):
        product = make_listed_product(cast.tenant_a, "AB-1")
        answer = post(cast.bob, "/api/v1/claims", {"serialNumber": "AB-2", "product": product.code})
        assert_problem(answer, 409, "serial-not-listed")


class TestReEnable:
    def test_an_administrator_may(self, cast):
        device = make_device(cast.tenant_a)
        answer = post(cast.alice, f"/api/v1/devices/{device.public_id}/re-enable")
        assert answer.status_code == 200 and answer.json()["activateBy"]
        assert read(poll(make_statement(device.serial_number)))["deviceId"] == str(device.public_id)

    def test_others_may_not(self, cast):
        device = make_device(cast.tenant_a)
        path = f"/api/v1/devices/{device.public_id}/re-enable"
        assert_problem(post(cast.bob, path), 403, "forbidden")
        assert_problem(post(cast.charlie, path), 404, "not-found")
        assert_problem(post(None, path), 401, "unauthenticated")
        assert device.credentials.filter(revoked_at=None).exists()

    def test_a_suspended_device_is_not(self, cast):
        device = make_device(cast.tenant_a)
        type(device).objects.filter(pk=device.pk).update(state="suspended")
        assert_problem(post(cast.alice, f"/api/v1/devices/{device.public_id}/re-enable"), 409, "invalid-transition")


class TestTransfer:
    def path(self, device):
        return f"/api/v1/devices/{device.public_id}/transfer"

    def test_an_administrator_of_both_may(self, cast):
        Membership.objects.create(user=cast.alice, tenant=cast.tenant_b, role=Role.ADMIN)
        device = make_device(cast.tenant_a)
        answer = post(cast.alice, self.path(device), {"tenant": str(cast.tenant_b.public_id)})
        assert answer.status_code == 200
        assert answer.json()["tenantId"] == str(cast.tenant_b.public_id)

    def test_an_administrator_of_one_may_not(self, cast):
        device = make_device(cast.tenant_a)
        body = {"tenant": str(cast.tenant_b.public_id)}
        assert_problem(post(cast.alice, self.path(device), body), 404, "not-found")
        Membership.objects.create(user=cast.alice, tenant=cast.tenant_b, role=Role.TECHNICIAN)
        assert_problem(post(cast.alice, self.path(device), body), 403, "forbidden")
        assert_problem(post(cast.bob, self.path(device), body), 403, "forbidden")
        assert_problem(post(cast.charlie, self.path(device), body), 404, "not-found")
        assert fresh(device).tenant == cast.tenant_a

    @pytest.mark.parametrize("body", [{}, {"tenant": None}, {"tenant": "x"}])
    def test_a_wrong_tenant_is_named(self, cast, body):
        answer = post(cast.alice, self.path(make_device(cast.tenant_a)), body)
        assert assert_problem(answer, 400, "invalid-request")["errors"][0]["field"] == "tenant"

    def test_where_it_is_it_cannot_go(self, cast):
        device = make_device(cast.tenant_a)
        body = {"tenant": str(cast.tenant_a.public_id)}
        assert_problem(post(cast.alice, self.path(device), body), 409, "invalid-transition")
