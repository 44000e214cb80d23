"""The twin of a device: desired and reported side by side, changed at the leaf, as JSON, or back."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods
from django_htmx.http import trigger_client_event

from devices.access import get_device
from devices.errors import DomainError, InvalidRequest, PreconditionFailed
from devices.models import Device, Role
from portal.console.page import ConsoleRequest, acting, console_page, wants_part
from portal.console.past import moved_at
from portal.console.twin_edit import KINDS, document_patch, kind_of, leaf_patch, read_value, undoing_patch, written
from portal.console.twin_view import compared, newest_changes
from portal.console.views.device import render_device
from twins.drift import ABSENT, value_at
from twins.models import Section, Twin
from twins.services.twins import Change, change_desired, get_twin

_PAGE = "console/device_twin.html"
_CONFLICT = (
    "Somebody else changed it meanwhile: it has version {} by now. What you typed is kept; look, then save again."
)


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def twin(request: ConsoleRequest, device_id: uuid.UUID) -> HttpResponse:
    role = Role.TECHNICIAN if request.method == "POST" else Role.VIEWER
    found = get_device(user_id=request.user.pk, device_id=device_id, role=role)
    if request.method != "POST":
        return _render(request, found, _form(get_twin(device_id=found.pk), request.GET.get("edit", "")))
    verb = next((verb for verb in _VERBS if verb in request.POST), "save")
    try:
        change = _VERBS[verb](request, found, get_twin(device_id=found.pk))
    except DomainError as error:
        if verb == "undo" and wants_part(request):
            raise
        return _refused(request, found, error)
    said = f"Saved as version {change.version}." if change.patch else "Nothing to change: it is so already."
    if wants_part(request):
        answer = _render(request, found, _form(get_twin(device_id=found.pk), ""))
        return trigger_client_event(trigger_client_event(answer, "twin-changed"), "said", {"text": said})
    messages.success(request, said)
    return redirect("console:device-twin", device_id)


def _save_leaf(request: ConsoleRequest, found: Device, present: Twin) -> Change:
    value = read_value(request.POST.get("kind", ""), request.POST.get("value", ""))
    return _change(request, found, leaf_patch(request.POST.get("pointer", ""), value))


def _delete_leaf(request: ConsoleRequest, found: Device, present: Twin) -> Change:
    return _change(request, found, leaf_patch(request.POST.get("pointer", ""), None))


def _save_document(request: ConsoleRequest, found: Device, present: Twin) -> Change:
    # Before the difference is taken: against another version it would take back what others did.
    if present.desired_version != _version(request):
        raise PreconditionFailed(version=present.desired_version)
    return _change(request, found, document_patch(present.desired, request.POST.get("document", "")))


def _undo(request: ConsoleRequest, found: Device, present: Twin) -> Change:
    changes = present.changes.filter(section=Section.DESIRED)
    undone = changes.filter(version=_number(request.POST.get("undo", ""))).first()
    if undone is None:
        raise InvalidRequest("There is no such change.")
    earlier = changes.filter(version__lt=undone.version).order_by("version").values_list("patch", flat=True)
    return _change(request, found, undoing_patch(earlier.iterator(), undone.patch))


_VERBS: dict[str, Callable[[ConsoleRequest, Device, Twin], Change]] = {
    "save": _save_leaf,
    "delete": _delete_leaf,
    "save-document": _save_document,
    "undo": _undo,
}


def _change(request: ConsoleRequest, found: Device, patch: dict[str, Any]) -> Change:
    return change_desired(device=found, patch=patch, actor=acting(request), if_version=_version(request))


def _version(request: ConsoleRequest) -> int:
    """The version the person saw when the form was made."""
    return _number(request.POST.get("version", ""))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidRequest("The form is not complete. Load the page again.")
    return int(text)


def _refused(request: ConsoleRequest, found: Device, error: DomainError) -> HttpResponse:
    """The form as it was typed, on top of what is there now."""
    present = get_twin(device_id=found.pk)
    is_conflict = isinstance(error, PreconditionFailed)
    where = str(error.data.get("pointer", ""))
    form = _form(present, "")
    form |= {name: request.POST[name] for name in ("pointer", "kind", "value", "document") if name in request.POST}
    form["problem"] = _CONFLICT.format(present.desired_version) if is_conflict else error.detail
    form["problem_at"] = where
    form["is_document_open"] = "save-document" in request.POST
    return _render(request, found, form)


def _form(present: Twin, pointer: str) -> dict[str, Any]:
    """The editor's fields: empty, or filled with the leaf at the pointer."""
    value = value_at(present.desired, pointer) if pointer else ABSENT
    if value is ABSENT and pointer:
        value = value_at(present.reported, pointer)
    is_known = value is not ABSENT
    return {
        "pointer": pointer,
        "kind": kind_of(value) if is_known else "text",
        "value": written(value) if is_known else "",
        "is_desired": bool(pointer) and value_at(present.desired, pointer) is not ABSENT,
    }


def _render(request: ConsoleRequest, found: Device, form: dict[str, Any]) -> HttpResponse:
    present = get_twin(device_id=found.pk)
    context = {
        "twin": present,
        "leaves": compared(present),
        "changes": newest_changes(present, moved_at(found)),
        "kinds": KINDS,
        "form": form,
    }
    return render_device(request, _PAGE, found, context, "twin-state", "editor")
