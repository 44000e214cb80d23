"""Rows for the support admin, made by the services that make them in life."""

import itertools
import uuid
from dataclasses import dataclass

from django.contrib.auth.models import Permission

from devices.actors import Actor
from devices.models import ApiToken, Credential, Device, HubProcess, Membership, Product, Region, Role, Tenant, User
from devices.services.api_tokens import create_api_token
from devices.services.serial_lists import import_serials
from devices.services.sessions import open_session, register_process
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.services.claims import claim_by_code
from provisioning.services.codes import issue_code
from provisioning.services.guesses import check_entry, note_wrong
from provisioning.services.operations import begin_operation
from provisioning.services.tokens import create_provisioning_token
from tests import base
from twins.services.twins import change_desired

_count = itertools.count(1)
NETWORK = "192.0.2.7"


@dataclass
class Story:
    """A device's way aboard, and all it left behind."""

    tenant: Tenant
    owner: User
    token: ApiToken
    enrolment: Enrolment
    device: Device
    process: HubProcess


def make_tenant(name: str = "Acme") -> Tenant:
    region, _ = Region.objects.get_or_create(code="eu", defaults={"name": "Europe"})
    return Tenant.objects.create(name=name, slug=f"{name.lower()}-{next(_count)}", region=region)


def make_staff(*permissions: str, **fields) -> User:
    """A member of staff with the permissions named as `app.codename`."""
    user = User.objects.create_user(f"dora-{next(_count)}", password="dora-does-support", is_staff=True, **fields)
    for name in permissions:
        app, _, codename = name.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def make_viewer() -> User:
    """A member of staff who may see everything."""
    user = make_staff()
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return user


def make_waiting(serial: str = "", **statement) -> Enrolment:
    serial = serial or f"W-{next(_count):04d}"
    issue_code(statement=base.make_statement(serial, **statement), actor=Actor.device(NETWORK))
    return Enrolment.objects.get(serial_number=serial)


def make_let_in(tenant: Tenant, owner: User, serial: str = "", name: str = "") -> Device:
    """A device a person let in, which has not asked for its credentials yet."""
    serial = serial or f"S-{next(_count):04d}"
    issued = issue_code(
        statement=base.make_statement(serial, attributes={"firmware": "1.0"}), actor=Actor.device(NETWORK)
    )
    product, _ = Product.objects.get_or_create(tenant=tenant, code="lamp", defaults={"name": "Lamp"})
    actor = Actor.user(owner.pk, NETWORK)
    return claim_by_code(code=issued.code, tenant=tenant, name=name or f"Lamp {serial}", product=product, actor=actor)


def collect(device: Device) -> str:
    """The device collects its credentials; its secret."""
    return base.collect(base.make_statement(device.serial_number)).device_secret


def connect(device: Device, process: HubProcess) -> None:
    credential = Credential.objects.get(device=device, revoked_at=None)
    open_session(device_id=device.pk, credential_id=credential.pk, process_id=process.pk, network=NETWORK)


def make_provisioning_token(tenant: Tenant, owner: User, name: str = "line 3", **policy) -> ProvisioningToken:
    token, _ = create_provisioning_token(tenant=tenant, name=name, actor=Actor.user(owner.pk), **policy)
    return token


def make_operation(token: ProvisioningToken, serial: str = "") -> Enrolment:
    """A device that came with the token and waits for approval."""
    statement = base.make_statement(serial or f"O-{next(_count):04d}")
    return begin_operation(token=token, statement=statement, actor=Actor.device(NETWORK))


def make_story(serial: str = "", name: str = "") -> Story:
    """A device that is online, and one row at least of everything else."""
    tenant = make_tenant()
    owner = User.objects.create_user(f"alice-{next(_count)}", f"alice-{uuid.uuid4().hex[:6]}@example.com", "a-password")
    Membership.objects.create(user=owner, tenant=tenant, role=Role.OWNER)
    token, _ = create_api_token(user=owner, name="deployment")
    device = make_let_in(tenant, owner, serial, name)
    collect(device)
    process = register_process(channel="test")
    connect(device, process)
    change_desired(device=device, patch={"colour": "red"}, actor=Actor.user(owner.pk))
    make_operation(make_provisioning_token(tenant, owner))
    import_serials(product=device.product, lines=[f"L-{next(_count):04d}"], actor=Actor.user(owner.pk))
    note_wrong(check_entry(user_id=owner.pk, tenant_id=tenant.pk))
    enrolment = Enrolment.objects.get(device=device)
    return Story(tenant, owner, token, enrolment, Device.objects.get(pk=device.pk), process)
