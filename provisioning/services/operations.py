"""Operations: enrolments that begin with a provisioning token. The device's side; approvals.py is the person's."""

import contextlib
import hashlib
import uuid
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from devices.actors import Actor
from devices.errors import InvalidTransition, NotFound, Unavailable
from devices.external_ids import check_external_id
from devices.serials import serial_key
from portal.lib.clock import now
from provisioning.codes import make_code
from provisioning.errors import DeviceIdNotAllowed, EnrolmentClosed, TooManyOperations
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.pollers import Poller, PollerKind
from provisioning.services.admission import require_listed
from provisioning.services.approvals import let_in_with_token
from provisioning.services.enrolments import Statement, expire_enrolment, live_enrolments, refuse_if_declined
from provisioning.services.moves import begin_history
from provisioning.services.removal import end_enrolment
from provisioning.services.tokens import require_usable
from provisioning.states import EnrolmentState
from provisioning.token_models import Approval, DeviceIdPolicy

_TRIES = 20


def operation_key(token: ProvisioningToken, identity: str) -> str:
    """What the attempts of one device with one token are found by.

    No serial key looks like it (those hold no small letters): a device with a token meets neither claims by serial
    number nor devices of other tenants that happen to have the same one.
    """
    return "t" + hashlib.sha256(f"{token.public_id}\x00{identity}".encode()).hexdigest()[:60]


def begin_operation(
    *, token: ProvisioningToken, statement: Statement, requested_id: str = "", actor: Actor
) -> Enrolment:
    """A new attempt of a device to join the token's tenant; older ones of the same token and device are superseded.

    It waits for a person, who compares its verification code; or is unlocked at once where the token says so.
    `statement.serial_number` may be empty: then the requested id is what the device is known by.

    Raises Unauthenticated, TokenUsedUp, DeviceIdNotAllowed, SerialNotListed, TooManyOperations; of a token that lets
    devices in by itself also SerialInUse and DeviceIdInUse, because nobody says that a device is to be replaced.
    """
    require_usable(token=token)
    _check_requested_id(token, requested_id)
    require_listed(product=token.product, serial_number=statement.serial_number)
    identity = serial_key(statement.serial_number) or requested_id or token.device_id or uuid.uuid4().hex
    key = operation_key(token, identity)
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                return _begin(token, key, statement, requested_id, actor)
        except IntegrityError:
            # The code is in use, or the same device asked twice at once.
            continue
    raise Unavailable("The operation could not be begun.", retry_after=settings.POLL_INTERVAL)


def find_operation(*, token: ProvisioningToken, statement: Statement, begins_anew: bool = False) -> Enrolment | None:
    """The present operation of a device that names its serial number, or None when it may begin one.

    Where the tenant let this serial number in before the device came, or anew, it is that window, whose first poller
    the device may be: it proves more than it has to.
    Raises EnrolmentClosed when it was declined within the last hour; and, unless it `begins_anew`, when another
    attempt took its place.
    """
    window = _window(token, statement)
    if window is not None:
        return window
    key = operation_key(token, serial_key(statement.serial_number))
    digest = statement.poller.digest
    mine = [row for row in live_enrolments(key=key) if row.poller_digest == digest]
    if mine:
        # Beside the one it came aboard with there may be a newer attempt.
        return max(mine, key=lambda row: row.pk)
    refuse_if_declined(key=key, poller=statement.poller)
    last = Enrolment.objects.filter(serial_key=key, poller_digest=digest).order_by("-pk").first()
    if not begins_anew and last is not None and last.state == EnrolmentState.SUPERSEDED:
        # Beginning by itself, it would supersede the one that superseded it, and so on for ever.
        raise EnrolmentClosed("Another attempt took its place. Ask for a new one.", retry_after=settings.POLL_INTERVAL)
    return None


def get_operation(*, token: ProvisioningToken, operation_id: uuid.UUID | str) -> Enrolment:
    """The operation with this id that began with the token, in whatever state; its time is looked at.

    For dialects whose devices name the operation. Raises NotFound.
    """
    try:
        operation = Enrolment.objects.select_related("token", "device__tenant").get(
            public_id=operation_id, token_id=token.pk
        )
    except (Enrolment.DoesNotExist, ValidationError):
        raise NotFound("There is no such operation.") from None
    if operation.is_stale(now()):
        try:
            expire_enrolment(enrolment=operation)
        except InvalidTransition:
            operation.refresh_from_db()
    return operation


def _window(token: ProvisioningToken, statement: Statement) -> Enrolment | None:
    windows = Enrolment.objects.filter(
        tenant_id=token.tenant_id,
        serial_key=serial_key(statement.serial_number),
        state=EnrolmentState.UNLOCKED,
        poller_kind=PollerKind.UNBOUND,
        window_until__gt=now(),
    )
    return windows.select_related("device__tenant__region").first()


def _check_requested_id(token: ProvisioningToken, requested_id: str) -> None:
    if not requested_id:
        if token.policy == DeviceIdPolicy.DEVICE_MUST and not token.device_id:
            raise DeviceIdNotAllowed("The device has to choose an id.")
        return
    check_external_id(requested_id)
    if requested_id != token.device_id and not token.policy.lets_device_choose:
        raise DeviceIdNotAllowed("The provisioning token does not let the device choose its id.")


def _begin(token: ProvisioningToken, key: str, statement: Statement, requested_id: str, actor: Actor) -> Enrolment:
    _supersede_older(key, statement.poller, actor)
    _refuse_too_many(token)
    moment = now()
    operation = Enrolment.objects.create(
        serial_number=statement.serial_number,
        serial_key=key,
        poller_kind=statement.poller.kind,
        poller_digest=statement.poller.digest,
        public_key=statement.poller.public_key,
        stated_product=statement.product,
        attributes=statement.attributes or {},
        network=actor.network,
        tenant=token.tenant,
        token=token,
        requested_id=requested_id,
        verification_code=make_code(),
        decide_until=moment + timedelta(seconds=settings.OPERATION_LIFETIME),
        created_at=moment,
        last_polled_at=moment,
    )
    begin_history(enrolment=operation, actor=actor)
    if token.approval == Approval.AUTOMATIC:
        let_in_with_token(
            operation=operation, actor=Actor.system(), reason="its provisioning token lets devices in", replaces=False
        )
    return operation


def _supersede_older(key: str, poller: Poller, actor: Actor) -> None:
    """What waits of the same device ends; and what was unlocked for this very poller, which has forgotten it."""
    for older in live_enrolments(key=key):
        forgotten = older.state == EnrolmentState.UNLOCKED and older.poller_digest == poller.digest
        if older.state == EnrolmentState.WAITING or forgotten:
            # Another request of the device may be at it too; of both one begins, as the constraints say.
            with contextlib.suppress(InvalidTransition):
                end_enrolment(
                    enrolment=older, to=EnrolmentState.SUPERSEDED, actor=actor, reason="the device made a newer attempt"
                )


def _refuse_too_many(token: ProvisioningToken) -> None:
    waiting = Enrolment.objects.filter(token=token, state=EnrolmentState.WAITING).count()
    if waiting >= settings.OPERATIONS_PER_TOKEN:
        raise TooManyOperations("Somebody has to decide on those that wait.", retry_after=60)
