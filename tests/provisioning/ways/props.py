"""What tests of the ways in share."""

import json

from devices.actors import Actor
from devices.models import Admission, HistoryEntry, Product
from devices.services.serial_lists import import_serials
from devices.services.sessions import open_session, register_process
from provisioning.models import Enrolment
from provisioning.services.handover import HandOver
from provisioning.services.operations import begin_operation
from provisioning.services.polling import poll_by_serial, poll_with_token
from provisioning.services.tokens import create_provisioning_token
from tests.base import PORTAL, make_poll_token, make_statement, unique

SYSTEM = Actor.system()


def make_token(tenant, **kw):
    return create_provisioning_token(tenant=tenant, name="line 3", actor=SYSTEM, **kw)


def make_operation(token, serial=None, *, requested_id="", poll_token="", **kw):
    statement = make_statement(serial, poll_token=poll_token, **kw)
    return begin_operation(token=token, statement=statement, requested_id=requested_id, actor=Actor.device("192.0.2.7"))


def without_serial(token, requested_id=""):
    """As a device comes that has no serial number, only (perhaps) an id it asks for."""
    from provisioning.services.enrolments import Statement

    return begin_operation(token=token, statement=Statement(""), requested_id=requested_id, actor=Actor.device())


def poll_from(network, statement):
    return poll_by_serial(statement=statement, portal_url=PORTAL, actor=Actor.device(network))


def token_poll(token, statement, requested_id=""):
    return poll_with_token(
        token=token, statement=statement, requested_id=requested_id, portal_url=PORTAL, actor=Actor.device("192.0.2.7")
    )


def read(outcome):
    assert isinstance(outcome, HandOver), outcome
    return json.loads(outcome.body)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def history_of(row):
    """From where to where, and why."""
    rows = HistoryEntry.objects.filter(subject_id=row.public_id).order_by("pk")
    return [(entry.from_state, entry.to_state, entry.reason) for entry in rows]


def moves_of(row):
    return [to for _, to, _ in history_of(row)]


def enrolments_of(device):
    return list(Enrolment.objects.filter(device=device).order_by("pk"))


def connect(device):
    """A live session with the device's present credential."""
    credential = device.credentials.filter(revoked_at=None).latest("pk")
    process = register_process(channel=unique("channel"))
    return open_session(device_id=device.pk, credential_id=credential.pk, process_id=process.pk, network=None)


def make_listed_product(tenant, *serials, **kw):
    product = Product.objects.create(
        tenant=tenant, code=unique("p"), name="Lamp", admission=kw.pop("admission", Admission.LISTED), **kw
    )
    import_serials(product=product, lines=[f"{serial}\n" for serial in serials], actor=SYSTEM)
    return product


def bound_statement(serial=None):
    return make_statement(serial, poll_token=make_poll_token())
