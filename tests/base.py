"""The cast of the tests, and what makes their props. Everything is made through the services, as adapters make it.

Alice owns tenant A and is its administrator, Bob is technician in it, Vera may look; Charlie owns tenant B and is an
outsider in A; Dora is support staff and member of nothing.
"""

import itertools
import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from devices.actors import Actor
from devices.models import Device, Membership, Product, Region, Role, Tenant, User
from devices.serials import serial_key
from devices.services.api_tokens import create_api_token
from provisioning.models import Enrolment
from provisioning.pollers import Poller
from provisioning.services.claims import claim_by_code, claim_by_serial, decline_waiting, find_waiting
from provisioning.services.codes import IssuedCode, issue_code
from provisioning.services.confirmation import confirm_hand_over
from provisioning.services.enrolments import Statement
from provisioning.services.handover import HandOver
from provisioning.services.polling import Pending, poll_by_serial
from provisioning.services.removal import delete_device

PASSWORD = "for-tests-only-1"  # noqa: S105  of people who do not exist
PORTAL = "https://portal.example"
MERGE_PATCH = "application/merge-patch+json"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Cast:
    """The people and tenants a test plays with."""

    tenant_a: Tenant
    tenant_b: Tenant
    alice: User
    bob: User
    vera: User
    charlie: User
    dora: User


def make_cast() -> Cast:
    """All of them, new."""
    tenant_a, tenant_b = make_tenant("A"), make_tenant("B")
    return Cast(
        tenant_a=tenant_a,
        tenant_b=tenant_b,
        alice=make_user("alice", {tenant_a: Role.OWNER}),
        bob=make_user("bob", {tenant_a: Role.TECHNICIAN}),
        vera=make_user("vera", {tenant_a: Role.VIEWER}),
        charlie=make_user("charlie", {tenant_b: Role.OWNER}),
        dora=make_user("dora", is_staff=True),
    )


def unique(prefix: str) -> str:
    """A word no other test uses, also not one of an earlier run on the same database."""
    return f"{prefix}-{next(_numbers)}-{secrets.token_hex(4)}"


def make_region(code: str = "eu", **urls: str) -> Region:
    region, _ = Region.objects.get_or_create(code=code, defaults={"name": code.upper(), **urls})
    return region


def make_tenant(name: str = "Tenant", *, region: str = "eu") -> Tenant:
    return Tenant.objects.create(name=f"Tenant {name}", slug=unique("tenant").lower(), region=make_region(region))


def make_product(tenant: Tenant, code: str = "lamp") -> Product:
    return Product.objects.create(tenant=tenant, code=code, name=code.capitalize())


def make_user(name: str = "user", roles: dict[Tenant, Role] | None = None, *, is_staff: bool = False) -> User:
    user = get_user_model().objects.create_user(unique(name), password=PASSWORD, is_staff=is_staff)
    for tenant, role in (roles or {}).items():
        Membership.objects.create(user=user, tenant=tenant, role=role)
    return user


def make_token(user: User) -> str:
    """The secret of a new API token."""
    return create_api_token(user=user, name="tests")[1]


def api_client(user: User | None = None, **headers: str) -> APIClient:
    """A client of the management API with the user's Bearer token, or of the device API without one.

    What the portal cannot handle comes back as the answer a real client gets, not as an exception.
    """
    client = APIClient(raise_request_exception=False, headers=headers or None)
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(user)}")
    return client


def make_poll_token() -> str:
    return secrets.token_urlsafe(32)


def make_statement(serial: str | None = None, *, poll_token: str = "", public_key: str = "", **kw: Any) -> Statement:
    return Statement(serial or unique("SN"), Poller(poll_token, public_key), **kw)


def make_enrolment(serial: str | None = None, **kw: Any) -> Enrolment:
    """A device that waits, as its first poll leaves it."""
    statement = make_statement(serial, **kw)
    outcome = poll(statement)
    assert isinstance(outcome, Pending)
    return Enrolment.objects.get(public_id=outcome.enrolment_id)


def make_code(statement: Statement | None = None) -> IssuedCode:
    return issue_code(statement=statement or make_statement(), actor=Actor.device("192.0.2.7"))


def unlock(statement: Statement, tenant: Tenant, user: User | None = None, **kw: Any) -> Device:
    """Let in the device that waits with this serial number."""
    actor = Actor.user(user.pk) if user else Actor.system()
    return claim_by_serial(serial_number=statement.serial_number, tenant=tenant, actor=actor, **kw)


def unlock_by_code(code: str, tenant: Tenant, user: User | None = None, **kw: Any) -> Device:
    return claim_by_code(code=code, tenant=tenant, actor=Actor.user(user.pk) if user else Actor.system(), **kw)


def poll(statement: Statement) -> Pending | HandOver:
    return poll_by_serial(statement=statement, portal_url=PORTAL, actor=Actor.device("192.0.2.7"))


@dataclass(frozen=True)
class Given:
    """What a device without a key reads in its hand-over."""

    device_id: str
    device_secret: str


def collect(statement: Statement) -> Given:
    """Poll once and be handed the credentials."""
    outcome = poll(statement)
    assert isinstance(outcome, HandOver)
    document = json.loads(outcome.body)
    return Given(document["deviceId"], document["deviceSecret"])


def confirm(statement: Statement) -> None:
    """The device says that it kept what it was given."""
    enrolment = enrolment_of(statement)
    assert enrolment.device_id is not None
    confirm_hand_over(device_id=enrolment.device_id, actor=Actor.device())


def make_device(
    tenant: Tenant | None = None, *, state: str = "delivered", statement: Statement | None = None, **kw: Any
) -> Device:
    """A device on its way aboard: "unlocked", "delivered" (see `aboard` for its secret), "retired"."""
    statement = statement or make_statement()
    poll(statement)
    device = unlock(statement, tenant or make_tenant(), **kw)
    if state == "unlocked":
        return device
    collect(statement)
    if state == "retired":
        delete_device(device=device, actor=Actor.system())
    return Device.objects.get(pk=device.pk)


@dataclass(frozen=True)
class Aboard:
    """A device together with what only it knows."""

    device: Device
    device_id: str
    secret: str


def aboard(tenant: Tenant | None = None, **kw: Any) -> Aboard:
    """A device that has its credentials and was never connected."""
    statement = make_statement()
    poll(statement)
    device = unlock(statement, tenant or make_tenant(), **kw)
    given = collect(statement)
    return Aboard(Device.objects.get(pk=device.pk), given.device_id, given.device_secret)


def enrolment_of(statement: Statement) -> Enrolment:
    """The newest enrolment of this poller."""
    return Enrolment.objects.filter(
        serial_key=serial_key(statement.serial_number), poller_digest=statement.poller.digest
    ).latest("pk")


def no_such_id() -> str:
    return str(uuid.uuid4())


def decline(statement: Statement, user: User) -> None:
    """The person says: not mine."""
    waiting = find_waiting(entry=statement.serial_number)
    decline_waiting(waiting=waiting, actor=Actor.user(user.pk))
