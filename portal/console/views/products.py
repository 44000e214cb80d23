"""Products: what a tenant makes or runs, whom each lets in, and its list of serial numbers."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from devices.access import choose_tenant, get_product, memberships_of
from devices.errors import DomainError, InvalidRequest
from devices.models import Admission, ListedSerial, Product, Role
from devices.serials import serial_key
from devices.services.products import change_product, create_product
from devices.services.serial_lists import export_serials, import_serials, preview_import, remove_serials
from portal.console.cursors import newest_page
from portal.console.frame import frame_of
from portal.console.kept_lists import drop_list, keep_list, lines_of, read_list, take_list
from portal.console.page import ConsoleRequest, acting, console_page, plain, render_page
from portal.lib.aio import run_db

_PAGE = 50
_UNITS = {"d": (86400, "days"), "h": (3600, "hours"), "min": (60, "minutes"), "s": (1, "seconds")}


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def products(request: ConsoleRequest) -> HttpResponse:
    """The products of the user's tenants, and a new one."""
    frame, after = frame_of(request), request.GET.get("after", "")
    typed = {name: plain(request, name) for name in ("code", "name", "tenant")} if request.method == "POST" else {}
    problem = ""
    if request.method == "POST":
        tenant = choose_tenant(user_id=request.user.pk, tenant_id=typed["tenant"] or None, role=Role.ADMIN)
        try:
            made = create_product(tenant=tenant, code=typed["code"], name=typed["name"] or typed["code"])
        except DomainError as error:
            problem = error.detail
        else:
            messages.success(request, f"The product {made.name} was made. It is open to any serial number.")
            return redirect("console:product", made.public_id)
    rows = Product.objects.filter(tenant__in=frame.tenants).select_related("tenant")
    page, following = newest_page(rows, after=after, size=_PAGE)
    context = {
        "rows": page,
        "after": after,
        "following": following,
        "problem": problem,
        "typed": typed or {"tenant": str(frame.tenant.public_id) if frame.tenant else ""},
        "tenants": [membership.tenant for membership in memberships_of(user_id=request.user.pk, role=Role.ADMIN)],
    }
    return render_page(request, "console/products.html", context)


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def product(request: ConsoleRequest, product_id: uuid.UUID) -> HttpResponse:
    """One product, its rules and its list."""
    role = Role.ADMIN if request.method == "POST" else Role.VIEWER
    found = get_product(user_id=request.user.pk, product_id=product_id, role=role)
    if request.method != "POST":
        return _render(request, found, {})
    verb = next((verb for verb in _VERBS if verb in request.POST), None)
    if verb is None:
        raise InvalidRequest("The form is not complete. Load the page again.")
    try:
        return _VERBS[verb](request, found)
    except DomainError as error:
        part = "rules" if verb == "save" else "list"
        typed = request.POST.dict() if verb == "save" else {}
        return _render(
            request,
            get_product(user_id=request.user.pk, product_id=product_id),
            {
                f"{part}_problem": error.detail,
                "errors": error.errors if verb == "import" else [],
                "typed": typed,
            },
        )


@console_page
@require_safe
def export(request: ConsoleRequest, product_id: uuid.UUID) -> HttpResponse:
    """The whole list as CSV, read as it is sent."""
    found = get_product(user_id=request.user.pk, product_id=product_id)
    # Django compresses each part of a stream as a file of its own, of which many clients read only the first.
    headers = {"Content-Disposition": 'attachment; filename="serial-numbers.csv"', "Content-Encoding": "identity"}
    pages = export_serials(product=found)
    # A synchronous iterator would be read whole, and only then sent, by a server that is asynchronous.
    content = _asynchronous(pages) if isinstance(request, ASGIRequest) else pages
    answer = StreamingHttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)
    return answer  # type: ignore[return-value]


async def _asynchronous(pages: Iterator[str]) -> AsyncIterator[str]:
    while page := await run_db(partial(next, pages, "")):
        yield page


def _save(request: ConsoleRequest, found: Product) -> HttpResponse:
    admission = plain(request, "admission")
    if admission not in Admission.values:
        raise InvalidRequest("Choose which serial numbers it lets in.")
    change_product(
        product=found,
        name=plain(request, "name"),
        activation_window=_seconds(plain(request, "window"), plain(request, "unit")),
        admission=Admission(admission),
        admits_by_serial_alone="alone" in request.POST,
    )
    messages.success(request, "Saved. Windows that are open keep their end.")
    return redirect("console:product", found.public_id)


def _preview(request: ConsoleRequest, found: Product) -> HttpResponse:
    # What is typed has many lines, so it is not read as `plain` text; the importer checks each.
    text = read_list(request.FILES.get("file"), request.POST.get("serials", ""))
    outcome = preview_import(product=found, lines=lines_of(text))
    if not outcome.serials and not outcome.invalid:
        raise InvalidRequest("The list is empty. Choose a CSV file, or type serial numbers, one on each line.")
    kept = keep_list(user_id=request.user.pk, product=found, text=text) if outcome.new else ""
    return _render(request, found, {"preview": outcome, "kept": kept})


def _import(request: ConsoleRequest, found: Product) -> HttpResponse:
    name = plain(request, "import")
    text = take_list(user_id=request.user.pk, product=found, name=name)
    if text is None:
        raise InvalidRequest("The list was kept for fifteen minutes. Nothing was imported; choose the file again.")
    outcome = import_serials(product=found, lines=lines_of(text), skip_invalid=True, actor=acting(request))
    drop_list(user_id=request.user.pk, product=found, name=name)
    said = f"{outcome.new} serial number{'s were' if outcome.new != 1 else ' was'} put on the list."
    if outcome.invalid:
        said += f" {outcome.invalid} invalid line{'s were' if outcome.invalid != 1 else ' was'} left out."
    messages.success(request, said)
    return redirect("console:product", found.public_id)


def _remove(request: ConsoleRequest, found: Product) -> HttpResponse:
    serial = plain(request, "remove")
    if remove_serials(product=found, serial_numbers=[serial], actor=acting(request)):
        messages.success(request, f"{serial} was taken off the list. A device that was let in with it stays.")
    else:
        messages.error(request, "This serial number is not on the list any more.")
    return redirect("console:product", found.public_id)


_VERBS: dict[str, Callable[[ConsoleRequest, Product], HttpResponse]] = {
    "save": _save,
    "preview": _preview,
    "import": _import,
    "remove": _remove,
}


def _seconds(text: str, unit: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10) or unit not in _UNITS:
        raise InvalidRequest("A window is a number of minutes, hours or days, such as 24 hours.")
    return int(text) * _UNITS[unit][0]


def _window(seconds: int) -> tuple[int, str]:
    """A window as it is typed: the largest unit in which it is a whole number, and a day as 24 hours."""
    whole = (unit for unit, (length, _) in _UNITS.items() if seconds % length == 0 and seconds != length)
    unit = next(whole, "s")
    return seconds // _UNITS[unit][0], unit


def _render(request: ConsoleRequest, found: Product, context: dict[str, Any]) -> HttpResponse:
    after, search = request.GET.get("after", ""), plain(request, "serial")
    listed = ListedSerial.objects.filter(product=found)
    if key := serial_key(search):
        listed = listed.filter(serial_key__startswith=key)
    page, following = newest_page(listed.with_state(), after=after, size=_PAGE)
    window, unit = _window(found.activation_window)
    shared = {
        "product": found,
        "serials": page,
        "serial": search,
        "after": after,
        "following": following,
        "window": window,
        "unit": unit,
        "units": [(unit, name) for unit, (_, name) in _UNITS.items()],
        "admissions": Admission.choices,
        "may_change": frame_of(request).allows(Role.ADMIN, found.tenant),
        "typed": {},
    }
    return render_page(request, "console/product.html", {**shared, **context})
