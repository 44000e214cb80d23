"""To a user of one tenant, nothing of another exists: one table over every route of the portal.

A route that is not in the table makes the test fail. Whoever adds a route says here what it names.
"""

import json
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from devices.actors import Actor
from devices.models import ApiToken, Device, ListedSerial
from devices.services.api_tokens import create_api_token
from provisioning.models import Enrolment
from provisioning.token_models import ProvisioningToken
from tests.base import MERGE_PATCH, api_client, make_device, make_enrolment, make_product
from tests.provisioning.ways.props import make_listed_product, make_operation, make_token
from twins.services.twins import change_desired, get_twin

pytestmark = pytest.mark.django_db

# Names no object of a tenant, and shows none.
PUBLIC = {
    "healthz",
    "metrics",
    "errors/<slug:code>",
    "login",
    "logout",
    "api/v1/provisioning/codes",
    "admin",
    "api/v1/provisioning/poll",
    "api/v1/provisioning/confirm",
    "api/v1/provisioning/rotate",
    "api/v1/schema",
    "api/v1/docs",
    "api/v1/redoc",
}
# Shows what the user may see: nothing of another tenant may be in it, whatever the query says.
LISTS = {
    "",
    "devices",
    "activity",
    "settings",
    "settings/provisioning-tokens",
    "claim",
    "waiting",
    "products",
    "api/v1/devices",
    "api/v1/operations",
    "api/v1/products",
    "api/v1/provisioning-tokens",
}
# Names an object in its path: (method, body) pairs that are worth a try.
CHANGE = {"on": True}
API_OBJECTS = {
    "api/v1/devices/<uuid:device_id>": [("GET", None), ("PATCH", {"name": "mine"}), ("DELETE", None)],
    "api/v1/devices/<uuid:device_id>/re-enable": [("POST", None)],
    "api/v1/devices/<uuid:device_id>/transfer": [("POST", {"tenant": "5e0f6d5c-0000-4000-8000-000000000000"})],
    "api/v1/devices/<uuid:device_id>/twin": [("GET", None)],
    "api/v1/devices/<uuid:device_id>/twin/desired": [("GET", None), ("PATCH", CHANGE)],
    "api/v1/provisioning-tokens/<uuid:token_id>": [("GET", None)],
    "api/v1/provisioning-tokens/<uuid:token_id>/revoke": [("POST", None)],
    "api/v1/operations/<str:key>": [("GET", None)],
    "api/v1/operations/<uuid:operation_id>/approve": [("POST", {"name": "mine"})],
    "api/v1/operations/<uuid:operation_id>/decline": [("POST", None)],
    "api/v1/products/<uuid:product_id>": [("GET", None), ("PATCH", {"name": "mine"})],
    "api/v1/products/<uuid:product_id>/serials": [("GET", None), ("DELETE", {"serialNumbers": ["HIDDEN-7"]})],
    "api/v1/products/<uuid:product_id>/serials/preview": [("POST", None)],
    "api/v1/products/<uuid:product_id>/serials/import": [("POST", None)],
    "api/v1/products/<uuid:product_id>/serials/export": [("GET", None)],
}
PAGES_OF_OBJECTS = {
    "claim/<uuid:device_id>": [{}],
    "devices/<uuid:device_id>": [{"name": "mine"}],
    "devices/<uuid:device_id>/twin": [
        {"save": "", "pointer": "/a", "kind": "text", "value": "b"},
        {"remove": "", "pointer": "/a"},
        {"save-document": "", "document": "{}"},
        {"undo": "1"},
    ],
    "devices/<uuid:device_id>/access": [{"name": "the device's"}, {"re-enable": "1"}, {"transfer": "1"}],
    "products/<uuid:product_id>": [{"save": "1"}, {"preview": "1"}, {"import": "1"}, {"remove": "HIDDEN-7"}],
    "products/<uuid:product_id>/serial-numbers.csv": [{}],
}
# Names an object in its body: tested one by one below.
IN_THE_BODY = {"tenant", "api/v1/claims"}


def routes(patterns=None, prefix="") -> Iterator[str]:
    """Every route of the portal but the admin's, which have a test of their own."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not route.startswith("admin/"):
                yield from routes(pattern.url_patterns, route)
        else:
            assert isinstance(pattern, URLPattern)
            yield route


def kind_of(route):
    if route.endswith("desired"):
        return MERGE_PATCH
    return "text/csv" if route.endswith(("preview", "import")) else "application/json"


@pytest.fixture
def named(cast, theirs):
    """What routes name in their paths: tenant A's, all of it."""
    token, _ = make_token(cast.tenant_a)
    operation = make_operation(token, product="hidden-7")
    product = make_listed_product(cast.tenant_a, "HIDDEN-7")
    return {
        "<uuid:device_id>": theirs.public_id,
        "<uuid:token_id>": token.public_id,
        "<uuid:operation_id>": operation.public_id,
        "<str:key>": operation.public_id,
        "<uuid:product_id>": product.public_id,
    }


def unharmed(named):
    token = ProvisioningToken.objects.get(public_id=named["<uuid:token_id>"])
    operation = Enrolment.objects.get(public_id=named["<uuid:operation_id>"])
    listed = ListedSerial.objects.filter(product__public_id=named["<uuid:product_id>"])
    return token.revoked_at is None and operation.state == "waiting" and listed.count() == 1


@pytest.fixture
def theirs(cast):
    """Tenant A's device, with words in it that nobody else may read."""
    device = make_device(cast.tenant_a, name="Hidden-7 lamp", product=make_product(cast.tenant_a, "hidden-7"))
    change_desired(device=device, patch={"a": "hidden-7"}, actor=Actor.system())
    return device


@pytest.fixture
def outsiders(cast):
    """Charlie owns another tenant, Dora is support staff without one."""
    return [cast.charlie, cast.dora]


def browser(user):
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def unchanged(device):
    row = Device.objects.get(pk=device.pk)
    twin = get_twin(device_id=device.pk)
    return (row.name, row.state, twin.desired, twin.desired_version) == (device.name, "active", {"a": "hidden-7"}, 1)


def words(device):
    return [b"idden-7", device.serial_number.encode(), str(device.public_id).encode()]


def test_every_route_is_in_the_table():
    known = PUBLIC | LISTS | set(API_OBJECTS) | set(PAGES_OF_OBJECTS) | IN_THE_BODY
    assert set(routes()) == known


@pytest.mark.parametrize("route", sorted(API_OBJECTS))
def test_the_api_knows_nothing_of_another_tenant(theirs, named, outsiders, route):
    for is_there in (True, False):
        path = "/" + route
        for placeholder, public_id in named.items():
            path = path.replace(placeholder, str(public_id if is_there else uuid.uuid4()))
        for user in outsiders:
            for method, body in API_OBJECTS[route]:
                content = json.dumps(body) if body else ""
                answer = api_client(user).generic(method, path, content, content_type=kind_of(route))
                assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), (user, method, is_there)
                assert b"idden-7" not in answer.content
    assert unchanged(theirs)
    assert unharmed(named)


@pytest.mark.parametrize("route", sorted(PAGES_OF_OBJECTS))
@pytest.mark.parametrize("partial", [False, True])
def test_the_console_knows_nothing_of_another_tenant(theirs, named, outsiders, route, partial):
    path = "/" + route
    for name, value in named.items():
        path = path.replace(name, str(value))
    headers = {"HX-Request": "true"} if partial else {}
    for user in outsiders:
        client = browser(user)
        answers = [client.get(path, headers=headers)]
        answers += [client.post(path, body, headers=headers) for body in PAGES_OF_OBJECTS[route]]
        for answer in answers:
            # A page that is open while its object goes says so in its own frame.
            is_told_in_the_page = partial and route.startswith("claim/") and b"no longer there" in answer.content
            assert answer.status_code == 404 or is_told_in_the_page or answer.status_code == 405, answer.status_code
            assert b"idden-7" not in answer.content and theirs.serial_number.encode() not in answer.content
    assert unchanged(theirs) and unharmed(named)


@pytest.mark.parametrize("route", sorted(LISTS))
def test_lists_show_nothing_of_another_tenant(theirs, named, cast, outsiders, route):
    queries = [
        "",
        f"?tenant={cast.tenant_a.public_id}",
        f"?search={theirs.serial_number}",
        f"?search={theirs.public_id}",
        f"?device={theirs.public_id}",
    ]
    for user in outsiders:
        for query in queries:
            client = api_client(user) if route.startswith("api/") else browser(user)
            answer = client.get(f"/{route}{query}", follow=True)
            # Provisioning tokens are for administrators: whoever is none anywhere is told so.
            assert answer.status_code in (200, 403, 404), (query, answer.status_code)
            content = answer.content
            for asked in (theirs.serial_number, str(theirs.public_id)):
                if asked in query:
                    # The page repeats what was asked in its own search field and links, once it has forgotten the rest.
                    content = content.replace(asked.encode(), b"")
            assert not [word for word in words(theirs) if word in content], query


def test_nobody_works_in_another_tenant(cast, outsiders):
    for user in outsiders:
        assert browser(user).post("/tenant", {"tenant": str(cast.tenant_a.public_id)}).status_code == 404


def test_nobody_lets_a_device_into_another_tenant(cast, outsiders):
    enrolment = make_enrolment()
    for user in outsiders:
        body = {"serialNumber": enrolment.serial_number, "tenant": str(cast.tenant_a.public_id)}
        assert api_client(user).post("/api/v1/claims", body, format="json").status_code == 404
        page = {"claim": "", "entry": enrolment.serial_number, "tenant": str(cast.tenant_a.public_id)}
        browser(user).post("/claim", page | {"enrolment": str(enrolment.public_id)})
    assert not Device.objects.exists()


def test_nobody_uses_a_product_of_another_tenant(cast, theirs):
    enrolment = make_enrolment()
    body = {"serialNumber": enrolment.serial_number, "product": "hidden-7"}
    assert api_client(cast.charlie).post("/api/v1/claims", body, format="json").status_code == 400


def test_nobody_revokes_anothers_token(cast):
    token, _ = create_api_token(user=cast.alice, name="x")
    browser(cast.charlie).post("/settings", {"revoke-token": str(token.public_id)})
    assert ApiToken.objects.get(pk=token.pk).revoked_at is None


def test_without_a_login_every_page_asks_for_one(theirs):
    pages = [route for route in LISTS if not route.startswith("api/")]
    for route in [*pages, *PAGES_OF_OBJECTS]:
        path = route.replace("<uuid:device_id>", str(theirs.public_id))
        answer = Client().get("/" + path.replace("<uuid:product_id>", str(uuid.uuid4())))
        assert answer.status_code == 302 and answer["Location"].startswith("/login"), route


def test_the_support_admin_is_for_staff_alone(cast, theirs):
    for user in (cast.alice, cast.charlie):
        client = browser(user)
        for path in (
            "",
            "devices/device/",
            f"devices/device/{theirs.pk}/change/",
            "provisioning/enrolment/",
            "jsi18n/",
        ):
            answer = client.get(f"/admin/{path}")
            assert answer.status_code in (302, 403, 404), path
            assert b"idden-7" not in answer.content
