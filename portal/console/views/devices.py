"""The devices of the user's tenants."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from devices.models import Device, Product
from devices.presence import Presence, presence_of
from portal.console.cursors import newest_page
from portal.console.frame import Frame, frame_of
from portal.console.page import ConsoleRequest, console_page, plain, render_page, wants_part
from portal.lib.clock import now
from provisioning.codes import normalise_code
from twins.drift import settings_behind
from twins.models import Acknowledgement, Twin, TwinKind

_PAGE = 50
_PRODUCT_CHIPS = 12
_PRESENCES = (("", "All"), ("online", "Online"), ("offline", "Not online"))


@dataclass(frozen=True, slots=True)
class Row:
    device: Device
    presence: Presence
    behind: int
    has_failed: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in the URL. `query` is what the link asks for."""

    label: str
    query: str
    is_on: bool


@console_page
@require_safe
def devices(request: ConsoleRequest) -> HttpResponse:
    frame = frame_of(request)
    search, presence, product, after = (plain(request, name) for name in ("search", "presence", "product", "after"))
    rows = Device.objects.present().filter(tenant__in=frame.tenants).select_related("tenant__region", "product")
    rows = rows.search(search) if search else rows
    rows = rows.filter(product__code=product) if product else rows
    page, following = newest_page(rows.with_presence(presence, now()).with_open_session(), after=after, size=_PAGE)
    context = {
        "rows": _rows(page),
        "search": search,
        "chips": _chips(request, frame),
        "is_filtered": bool(search or presence or product),
        "may_be_code": bool(search) and normalise_code(search) is not None,
        "without_search": _query(request, search="", after=""),
        "first_page": _query(request, after=""),
        "next_page": _query(request, after=following) if following else "",
        "after": after,
    }
    template = "console/devices.html#rows" if wants_part(request) else "console/devices.html"
    return render_page(request, template, context)


def _rows(page: Sequence[Device]) -> list[Row]:
    moment = now()
    twins = {twin.device_id: twin for twin in Twin.objects.filter(device__in=page, kind=TwinKind.DEVICE)}
    return [_row(device, presence_of(device, moment), twins.get(device.pk)) for device in page]


def _row(device: Device, presence: Presence, twin: Twin | None) -> Row:
    if twin is None:
        return Row(device, presence, 0, False)
    answered = twin.acknowledged_version == twin.desired_version
    applied = answered and twin.acknowledgement == Acknowledgement.APPLIED
    behind = settings_behind(twin.desired, twin.reported, applied=applied)
    return Row(device, presence, behind, answered and twin.acknowledgement == Acknowledgement.FAILED)


def _chips(request: ConsoleRequest, frame: Frame) -> list[list[Chip]]:
    groups = [[_chip(request, "presence", value, label) for value, label in _PRESENCES]]
    products = Product.objects.filter(tenant__in=frame.tenants).order_by("code")[:_PRODUCT_CHIPS]
    if products:
        names = {product.code: product.name for product in products}
        groups.append([_chip(request, "product", code, name) for code, name in {"": "All products", **names}.items()])
    return groups


def _chip(request: ConsoleRequest, name: str, value: str, label: str) -> Chip:
    changes: dict[str, Any] = {name: value, "after": ""}
    return Chip(label, _query(request, **changes), request.GET.get(name, "") == value)


def _query(request: ConsoleRequest, **changes: str) -> str:
    """The page's query with some members changed; empty ones are left out, so that addresses stay short."""
    query = request.GET.copy()
    for name, value in changes.items():
        query[name] = value
    for name in [name for name in query if not query[name]]:
        del query[name]
    return query.urlencode()
