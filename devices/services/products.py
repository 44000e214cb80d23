"""Products: the kinds of device a tenant makes or runs."""

import re

from django.db import IntegrityError, transaction

from devices.errors import InvalidRequest, ProductCodeInUse
from devices.models import Admission, Product, Tenant

_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")
NAME_LENGTH = 100
SHORTEST_WINDOW = 60  # seconds
LONGEST_WINDOW = 90 * 24 * 3600


def create_product(*, tenant: Tenant, code: str, name: str) -> Product:
    """A new product, open to any serial number. Raises InvalidRequest, ProductCodeInUse."""
    if not _CODE.fullmatch(code):
        raise _invalid("code", "A code has 1 to 64 characters of 0-9 A-Z a-z _ . - and begins with a letter or digit.")
    try:
        with transaction.atomic():
            return Product.objects.create(tenant=tenant, code=code, name=_checked_name(name))
    except IntegrityError:
        raise ProductCodeInUse(f"{tenant.name} already has a product {code}.") from None


def change_product(
    *,
    product: Product,
    name: str | None = None,
    activation_window: int | None = None,
    admission: Admission | None = None,
    admits_by_serial_alone: bool | None = None,
) -> Product:
    """Change what is given. Windows that are open keep their end. Raises InvalidRequest."""
    fields = []
    if name is not None:
        product.name = _checked_name(name)
        fields.append("name")
    if activation_window is not None:
        if not SHORTEST_WINDOW <= activation_window <= LONGEST_WINDOW:
            raise _invalid("activationWindow", f"A window is {SHORTEST_WINDOW} to {LONGEST_WINDOW} seconds.")
        product.activation_window = activation_window
        fields.append("activation_window")
    if admission is not None:
        product.admission = admission
        fields.append("admission")
    if admits_by_serial_alone is not None:
        product.admits_by_serial_alone = admits_by_serial_alone
        fields.append("admits_by_serial_alone")
    product.save(update_fields=fields)
    return product


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise _invalid("name", f"A name has 1 to {NAME_LENGTH} printable characters.")
    return name


def _invalid(field: str, problem: str) -> InvalidRequest:
    return InvalidRequest(problem, errors=[{"field": field, "detail": problem}])
