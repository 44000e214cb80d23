"""The doors to operations and provisioning tokens; see devices.access."""

import uuid

from devices.access import require_role
from devices.errors import InvalidRequest, NotFound
from devices.models import Role, Tenant
from portal.lib.clock import now
from provisioning.codes import normalise_code
from provisioning.models import Enrolment, EnrolmentQuerySet, ProvisioningToken


def get_provisioning_token(*, user_id: int, token_id: uuid.UUID, role: Role = Role.ADMIN) -> ProvisioningToken:
    """The token by its public id. Raises NotFound, or Forbidden."""
    tokens = ProvisioningToken.objects.filter(tenant__memberships__user_id=user_id, public_id=token_id)
    token = tokens.select_related("tenant", "product").first()
    if token is None:
        raise NotFound("There is no such provisioning token.")
    require_role(user_id=user_id, tenant_id=token.tenant_id, role=role)
    return token


def operations_of(*, user_id: int) -> EnrolmentQuerySet:
    """The operations of the tenants the user is a member of, with what is shown of them."""
    mine = Enrolment.objects.operations().filter(tenant__memberships__user_id=user_id)
    return mine.select_related("token__product", "tenant", "device")


def get_operation(*, user_id: int, key: str, tenant: Tenant | None = None, role: Role = Role.VIEWER) -> Enrolment:
    """The operation by its public id, or by the verification code of one that waits.

    A code means something only within a tenant: raises InvalidRequest when several of the user's tenants have it.
    Raises NotFound, or Forbidden.
    """
    operations = operations_of(user_id=user_id)
    if tenant is not None:
        operations = operations.filter(tenant=tenant)
    found = list(_matching(operations, key)[:2])
    if not found:
        raise NotFound("There is no such operation.")
    if len(found) > 1:
        problem = "Several of your tenants have an operation with this code: say which tenant."
        raise InvalidRequest(problem, errors=[{"field": "tenant", "detail": problem}])
    operation = found[0]
    require_role(user_id=user_id, tenant_id=operation.tenant_id or 0, role=role)
    return operation


def _matching(operations: EnrolmentQuerySet, key: str) -> EnrolmentQuerySet:
    try:
        return operations.filter(public_id=uuid.UUID(key))
    except ValueError:
        code = normalise_code(key)
    if code is None:
        return operations.none()
    return operations.undecided(now()).filter(verification_code=code)
