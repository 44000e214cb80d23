"""Provisioning tokens: making, checking, counting and revoking them."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import F

from devices.actors import Actor
from devices.errors import InvalidRequest, InvalidTransition, Unauthenticated
from devices.external_ids import check_external_id
from devices.models import Product, Subject, Tenant
from devices.services.history import record_move
from portal.lib.clock import now
from portal.lib.logs import log_event
from portal.lib.tokens import digest, mint
from provisioning.errors import TokenUsedUp
from provisioning.models import Enrolment
from provisioning.services.enrolments import expire_enrolment
from provisioning.states import EnrolmentState
from provisioning.token_models import Approval, DeviceIdPolicy, ProvisioningToken

logger = logging.getLogger(__name__)

NAME_LENGTH = 100
# A device has to have time to use what it was given, and to ask for the next.
SHORTEST_LIFETIME = 300  # seconds
LONGEST_LIFETIME = 100 * 365 * 24 * 3600
_MOST_USES = 2**31 - 1


@transaction.atomic
def create_provisioning_token(
    *,
    tenant: Tenant,
    name: str,
    actor: Actor,
    product: Product | None = None,
    device_id_policy: DeviceIdPolicy = DeviceIdPolicy.DEVICE_MAY,
    device_id: str = "",
    approval: Approval = Approval.NEEDED,
    maximum_credential_lifetime: int | None = None,
    use_limit: int | None = None,
    expires_at: datetime | None = None,
) -> tuple[ProvisioningToken, str]:
    """A new token of the tenant and its secret, which is not kept. Raises InvalidRequest, naming the field."""
    name = " ".join(name.split())
    nameless = not 1 <= len(name) <= NAME_LENGTH or not name.isprintable()
    _refuse(nameless, "name", f"A token needs a name of at most {NAME_LENGTH} printable characters.")
    _refuse(product is not None and product.tenant_id != tenant.pk, "product", "The tenant has no such product.")
    if device_id:
        check_external_id(device_id)
    nobody_to_choose = approval == Approval.AUTOMATIC and device_id_policy == DeviceIdPolicy.TECHNICIAN_MUST
    _refuse(nobody_to_choose, "deviceIdPolicy", "With automatic approval there is nobody who could choose the id.")
    lifetime, uses = maximum_credential_lifetime, use_limit
    _refuse(
        lifetime is not None and not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME,
        "maximumCredentialLifetime",
        f"A lifetime is {SHORTEST_LIFETIME} to {LONGEST_LIFETIME} seconds.",
    )
    _refuse(uses is not None and not 1 <= uses <= _MOST_USES, "useLimit", "A token is for at least one device.")
    _refuse(expires_at is not None and expires_at <= now(), "expiresAt", "This moment is over.")
    minted = mint("gwp")
    token = ProvisioningToken.objects.create(
        tenant=tenant,
        product=product,
        name=name,
        prefix=minted.prefix,
        digest=minted.digest,
        device_id_policy=device_id_policy,
        device_id=device_id,
        approval=approval,
        maximum_credential_lifetime=lifetime,
        use_limit=uses,
        created_at=now(),
        created_by_id=actor.user_id,
        expires_at=expires_at,
    )
    _record(token, "", "usable", actor)
    log_event(logger, "provisioning-token-created", tenant=tenant.slug, prefix=token.prefix)
    return token, minted.secret


def find_token(*, secret: str) -> ProvisioningToken:
    """The token with this secret, usable or not, with tenant and product. Raises Unauthenticated when there is none.

    One that ended begins nothing more, but a device that was let in with it is still given its credentials.
    """
    tokens = ProvisioningToken.objects.select_related("tenant__region", "product")
    token = tokens.filter(digest=digest(secret)).first()
    if token is None:
        raise Unauthenticated("The provisioning token is not valid.")
    return token


def require_usable(*, token: ProvisioningToken) -> None:
    """Raise Unauthenticated when the token was revoked or has expired, TokenUsedUp when it let in all it may."""
    match token.state(now()):
        case "revoked" | "expired":
            raise Unauthenticated("The provisioning token is not valid any more.")
        case "used-up":
            raise TokenUsedUp()


def take_use(*, token: ProvisioningToken) -> None:
    """Count one device that is let in, in the caller's transaction. One UPDATE, so that the limit holds for any crowd.

    An operation that began in time may be approved after the token's end: expiry ends beginnings, revocation all.
    Raises TokenUsedUp, and InvalidTransition when the token was revoked.
    """
    tokens = ProvisioningToken.objects.filter(pk=token.pk)
    if tokens.filter(revoked_at=None).with_uses_left().update(use_count=F("use_count") + 1, last_used_at=now()):
        return
    if tokens.filter(revoked_at=None).exists():
        raise TokenUsedUp()
    raise InvalidTransition("The provisioning token was revoked.")


def revoke_provisioning_token(*, token: ProvisioningToken, actor: Actor, reason: str = "") -> bool:
    """End the token and the operations that wait with it; devices it let in are not touched. False when it was ended.

    A crash in between is harmless: an operation of a revoked token is stale wherever it is looked at.
    """
    with transaction.atomic():
        before = token.state(now())
        if not ProvisioningToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now()):
            return False
        _record(token, before, "revoked", actor, reason)
    token.revoked_at = now()
    log_event(logger, "provisioning-token-revoked", prefix=token.prefix, reason=reason or None)
    for operation in Enrolment.objects.filter(token=token, state=EnrolmentState.WAITING):
        try:
            expire_enrolment(enrolment=operation, reason="its provisioning token was revoked")
        except InvalidTransition:
            # It was decided on in the meantime.
            continue
    return True


def note_expired_tokens(*, batch: int = 500) -> int:
    """Put into the history what the clock has decided: tokens that have expired. Returns how many."""
    noted = 0
    while True:
        moment = now()
        overdue = ProvisioningToken.objects.filter(expires_at__lte=moment, expiry_noted_at=None, revoked_at=None)
        tokens = list(overdue.order_by("pk")[:batch])
        with transaction.atomic():
            for token in tokens:
                mine = ProvisioningToken.objects.filter(pk=token.pk, expiry_noted_at=None)
                if mine.update(expiry_noted_at=moment):
                    _record(token, "usable", "expired", Actor.system())
                    noted += 1
        if len(tokens) < batch:
            return noted


def _refuse(condition: bool, field: str, problem: str) -> None:
    if condition:
        raise InvalidRequest(problem, errors=[{"field": field, "detail": problem}])


def _record(token: ProvisioningToken, from_state: str, to_state: str, actor: Actor, reason: str = "") -> None:
    record_move(
        subject=Subject.TOKEN,
        subject_id=token.public_id,
        from_state=from_state,
        to_state=to_state,
        actor=actor,
        reason=reason,
        tenant_id=token.tenant_id,
    )
