"""Claim: find a waiting device by its code or serial number, let it in or decline it, watch it come aboard."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import replace_url

from devices.access import choose_tenant, get_device, memberships_of
from devices.errors import DomainError, Forbidden, InvalidRequest, InvalidTransition, NotFound
from devices.models import ACTIVATION_WINDOW, Device, Product, Role, Tenant
from devices.serials import MAXIMUM_LENGTH
from portal.console.frame import frame_of
from portal.console.page import ConsoleRequest, acting, console_page, plain, render_page, wants_part
from portal.console.story import story_of
from portal.entries import counted_entry
from provisioning.codes import LENGTH, group_code, normalise_code
from provisioning.errors import MatchNumberNeeded, MatchNumberWrong, SerialNotWaiting, SerialNumberNeeded
from provisioning.services.claims import Waiting, claim_by_code, claim_by_serial, decline_waiting, find_waiting
from twins.services.twins import get_twin

_PAGE = "console/claim.html"
_NAME_IT = (
    "Many codes are being guessed at the moment, so a code alone opens nothing. "
    "Enter the serial number of the device along with it."
)
_TAKEN = "This serial number cannot be let in before its device comes. Switch the device on and use its code."


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def claim(request: ConsoleRequest) -> HttpResponse:
    """One field; what was found, and what became of it, is answered in place."""
    if not memberships_of(user_id=request.user.pk, role=Role.TECHNICIAN):
        if request.method == "POST":
            raise Forbidden("Your role allows you to look, not to let devices in. Ask an administrator of your tenant.")
        return render_page(request, _PAGE, {"may_claim": False})
    if request.method == "POST" and "claim" in request.POST:
        return _let_in(request)
    if request.method == "POST" and "open-window" in request.POST:
        return _let_in_unseen(request)
    if request.method == "POST" and "decline" in request.POST:
        return _decline(request)
    entry = plain(request, "entry") or plain(request, "code")
    return _look_up(request, entry) if entry or request.method == "POST" else _answer(request, {})


@console_page
@require_safe
def claimed(request: ConsoleRequest, device_id: uuid.UUID) -> HttpResponse:
    """The same page once the device was let in: its way from here to configured."""
    try:
        return _answer(request, _story(get_device(user_id=request.user.pk, device_id=device_id)))
    except NotFound:
        if not wants_part(request):
            raise
        # It was deleted, or never collected its credentials, while somebody watched.
        return _answer(request, {"problem": "This device is no longer there. Its history is in Activity."})


def _look_up(request: ConsoleRequest, entry: str) -> HttpResponse:
    try:
        return _answer(request, _card(request, _find(request, entry)))
    except SerialNotWaiting as error:
        return _answer(request, {**_offer(request), "entry": entry, "problem": _sentence(error)})
    except DomainError as error:
        return _answer(request, _refusal(request, error))


def _let_in(request: ConsoleRequest) -> HttpResponse:
    typed = _typed(request)
    waiting: Waiting | None = None
    try:
        waiting = _find_same(request)
        tenant = choose_tenant(user_id=request.user.pk, tenant_id=typed["tenant"] or None, role=Role.TECHNICIAN)
        product = _product(tenant, typed["product"])
        device = _claim(request, waiting, tenant, product)
    except DomainError as error:
        card = _card(request, waiting) if waiting and not isinstance(error, MatchNumberWrong) else {}
        card = {**card, "typed": typed}
        if isinstance(error, MatchNumberNeeded):
            return _answer(request, {**card, "needs_match": True})
        return _answer(request, {**card, **_refusal(request, error)})
    return _tell(request, device)


def _let_in_unseen(request: ConsoleRequest) -> HttpResponse:
    """Let in a device that nobody has heard of yet, if that is still so: what waits is compared first."""
    entry, typed = plain(request, "entry"), _typed(request)
    try:
        tenant = choose_tenant(user_id=request.user.pk, tenant_id=typed["tenant"] or None, role=Role.TECHNICIAN)
        product = _product(tenant, typed["product"])
        with counted_entry(user_id=request.user.pk, tenant_id=tenant.pk, entry=entry, is_serial=True):
            waiting = _waiting_with(entry)
            if waiting is not None:
                problem = "A device with this serial number waits by now. Compare, then let it in."
                return _answer(request, {**_card(request, waiting), "typed": typed, "problem": problem})
            device = claim_by_serial(
                serial_number=entry, tenant=tenant, name=typed["name"], product=product, actor=acting(request)
            )
    except DomainError as error:
        problem = _TAKEN if isinstance(error, SerialNotWaiting) else _sentence(error)
        return _answer(request, {**_offer(request), "entry": entry, "typed": typed, "problem": problem})
    return _tell(request, device)


def _waiting_with(entry: str) -> Waiting | None:
    try:
        return find_waiting(entry=entry)
    except SerialNotWaiting:
        return None


def _tell(request: ConsoleRequest, device: Device) -> HttpResponse:
    where = reverse("console:claimed", args=[device.public_id])
    if not wants_part(request):
        return redirect(where)
    # Reloading the page goes on with the story.
    return replace_url(_answer(request, _story(get_device(user_id=request.user.pk, device_id=device.public_id))), where)


def _claim(request: ConsoleRequest, waiting: Waiting, tenant: Tenant, product: Product | None) -> Device:
    rest: dict[str, Any] = {
        "tenant": tenant,
        "product": product,
        "name": request.POST.get("name", ""),
        "actor": acting(request),
    }
    entry, serial = plain(request, "entry"), plain(request, "serial")
    with counted_entry(
        user_id=request.user.pk,
        tenant_id=tenant.pk,
        entry=entry,
        serial_number=serial,
        is_serial=waiting.code is None,
    ) as admission:
        if waiting.code is None:
            return claim_by_serial(serial_number=waiting.enrolment.serial_number, **rest)
        return claim_by_code(
            code=entry,
            serial_number=serial,
            match_number=plain(request, "match_number"),
            is_stepped_up=admission.needs_match_number,
            **rest,
        )


def _decline(request: ConsoleRequest) -> HttpResponse:
    try:
        waiting = _find_same(request)
        decline_waiting(waiting=waiting, actor=acting(request))
    except DomainError as error:
        return _answer(request, _refusal(request, error))
    return _answer(request, {"declined": waiting.enrolment.serial_number})


def _find(request: ConsoleRequest, entry: str) -> Waiting:
    if not entry:
        raise InvalidRequest("Type the code on the device's screen, or its serial number.")
    if len(entry) > MAXIMUM_LENGTH or not entry.isascii():
        raise InvalidRequest(
            f"A code has {LENGTH} letters and digits, a serial number at most {MAXIMUM_LENGTH}. Type one of them."
        )
    serial = plain(request, "serial")
    with counted_entry(user_id=request.user.pk, entry=entry, serial_number=serial):
        return find_waiting(entry=entry, serial_number=serial)


def _find_same(request: ConsoleRequest) -> Waiting:
    """Find again what the person was shown. Raises InvalidTransition when it is another device by now."""
    waiting = _find(request, plain(request, "entry"))
    if str(waiting.enrolment.public_id) != request.POST.get("enrolment"):
        raise InvalidTransition("Another device answers to this by now. Nothing was changed; compare once more.")
    return waiting


def _product(tenant: Tenant, public_id: str) -> Product | None:
    if not public_id:
        return None
    product = next((one for one in Product.objects.filter(tenant=tenant) if str(one.public_id) == public_id), None)
    if product is None:
        raise InvalidRequest(f"{tenant.name} has no such product. Choose one of its own.")
    return product


def _typed(request: ConsoleRequest) -> dict[str, str]:
    return {name: plain(request, name) for name in ("name", "tenant", "product")}


def _refusal(request: ConsoleRequest, error: DomainError) -> dict[str, Any]:
    """What was entered, what is wrong with it, and whether the serial number is asked for along with the code."""
    entry = plain(request, "entry") or plain(request, "code")
    needs_serial = isinstance(error, SerialNumberNeeded)
    problem = _NAME_IT if needs_serial else _sentence(error)
    # What was named once is asked for again: the next entry needs it too.
    serial = plain(request, "serial")
    return {"entry": entry, "serial": serial, "needs_serial": needs_serial or bool(serial), "problem": problem}


def _choices(request: ConsoleRequest, stated: str) -> dict[str, Any]:
    """What a person chooses for a device: its tenant, its product, its name."""
    tenants = [member.tenant for member in memberships_of(user_id=request.user.pk, role=Role.TECHNICIAN)]
    chosen = frame_of(request).tenant
    products = Product.objects.filter(tenant__in=tenants).select_related("tenant").order_by("tenant__name", "code")
    suggested = next((one for one in products if one.code == stated and chosen and one.tenant_id == chosen.pk), None)
    return {
        "tenants": tenants,
        "products": products,
        "typed": {
            "name": "",
            "tenant": str(chosen.public_id) if chosen else "",
            "product": str(suggested.public_id) if suggested else "",
        },
    }


def _offer(request: ConsoleRequest) -> dict[str, Any]:
    """To let the device in before it comes."""
    return {**_choices(request, ""), "offers_window": True, "window": ACTIVATION_WINDOW}


def _card(request: ConsoleRequest, waiting: Waiting) -> dict[str, Any]:
    entry = plain(request, "entry") or plain(request, "code")
    return {
        **_choices(request, waiting.enrolment.stated_product),
        "entry": entry,
        "serial": plain(request, "serial"),
        "waiting": waiting,
        # A reload in the middle of the story asks for the digits again.
        "needs_match": bool(waiting.code and waiting.enrolment.match_number),
        "shown_code": group_code(normalise_code(entry) or "") if waiting.code else "",
    }


def _story(device: Device) -> dict[str, Any]:
    enrolment = device.enrolments.order_by("-pk").first()
    story = story_of(device, enrolment, get_twin(device_id=device.pk))
    return {"device": device, "enrolment": enrolment, "story": story}


def _sentence(error: DomainError) -> str:
    """What went wrong, and what to do where the error itself does not say."""
    advice = {
        "code-not-usable": "This code cannot be used. Look at the device: it may show a new one by now.",
        "serial-not-waiting": "No device with this serial number is waiting. Check it, and that the device is on.",
    }
    return advice.get(error.code, error.detail)


def _answer(request: ConsoleRequest, context: dict[str, Any]) -> HttpResponse:
    template = f"{_PAGE}#answer" if wants_part(request) else _PAGE
    return render_page(request, template, {"may_claim": True, **context})
