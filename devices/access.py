"""The doors: every row that belongs to a tenant reaches a user through one of these functions, and no other way.

To outsiders a row does not exist (NotFound); members whose role is too low are told so (Forbidden).
"""

import uuid

from devices.errors import Forbidden, InvalidRequest, NotFound
from devices.models import Device, Membership, Product, Role, Tenant


def get_tenant(*, user_id: int, tenant_id: uuid.UUID | str, role: Role = Role.VIEWER) -> Tenant:
    """The tenant by its public id. Raises NotFound, or Forbidden when the user's role in it is below `role`."""
    membership = (
        Membership.objects.filter(user_id=user_id, tenant__public_id=_as_uuid(tenant_id))
        .select_related("tenant__region")
        .first()
    )
    if membership is None:
        raise NotFound("There is no such tenant.")
    _require(membership, role)
    return membership.tenant


def get_device(*, user_id: int, device_id: uuid.UUID | str, role: Role = Role.VIEWER) -> Device:
    """The device by its public id, with product and open session. Raises NotFound, or Forbidden."""
    device: Device | None = (
        Device.objects.present()
        .of_user(user_id)
        .filter(public_id=_as_uuid(device_id))
        .select_related("tenant__region", "product")
        .with_open_session()
        .first()
    )
    if device is None:
        raise NotFound("There is no such device.")
    _require(Membership.objects.get(user_id=user_id, tenant_id=device.tenant_id), role)
    return device


def get_product(*, user_id: int, product_id: uuid.UUID | str, role: Role = Role.VIEWER) -> Product:
    """The product by its public id. Raises NotFound, or Forbidden."""
    products = Product.objects.filter(tenant__memberships__user_id=user_id, public_id=_as_uuid(product_id))
    product = products.select_related("tenant__region").first()
    if product is None:
        raise NotFound("There is no such product.")
    require_role(user_id=user_id, tenant_id=product.tenant_id, role=role)
    return product


def require_role(*, user_id: int, tenant_id: int, role: Role) -> None:
    """For doors of other apps, when the user is known to be a member. Raises Forbidden; NotFound to outsiders."""
    membership = Membership.objects.filter(user_id=user_id, tenant_id=tenant_id).select_related("tenant").first()
    if membership is None:
        raise NotFound()
    _require(membership, role)


def memberships_of(*, user_id: int, role: Role = Role.VIEWER) -> list[Membership]:
    """The user's memberships with at least the role given, by tenant name."""
    memberships = Membership.objects.filter(user_id=user_id).select_related("tenant__region").order_by("tenant__name")
    return [membership for membership in memberships if Role(membership.role).includes(role)]


def choose_tenant(*, user_id: int, tenant_id: str | None, role: Role) -> Tenant:
    """The tenant named, or the only one the user has the role in. Raises InvalidRequest when there is more than one."""
    if tenant_id:
        return get_tenant(user_id=user_id, tenant_id=tenant_id, role=role)
    memberships = memberships_of(user_id=user_id, role=role)
    if not memberships:
        raise Forbidden("You have no tenant in which your role allows this.")
    if len(memberships) > 1:
        problem = "You are a member of several tenants: say which one."
        raise InvalidRequest(problem, errors=[{"field": "tenant", "detail": problem}])
    return memberships[0].tenant


def _require(membership: Membership, role: Role) -> None:
    if not Role(membership.role).includes(role):
        raise Forbidden(f"This needs the role {role.label.lower()} in {membership.tenant.name}.")


def _as_uuid(value: uuid.UUID | str) -> uuid.UUID:
    try:
        return value if isinstance(value, uuid.UUID) else uuid.UUID(value)
    except ValueError:
        raise NotFound() from None
