"""Waiting: devices that came with a provisioning token and need a person, and those let in that have not come yet."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods
from django_htmx.http import trigger_client_event

from devices.access import require_role
from devices.errors import DomainError, InvalidRequest, NotFound
from devices.models import Device, Role
from portal.console.cursors import newest_page
from portal.console.frame import Frame, frame_of
from portal.console.page import ConsoleRequest, acting, console_page, plain, render_page, wants_part
from portal.lib.clock import now
from provisioning.access import get_operation, operations_of
from provisioning.codes import group_code
from provisioning.models import Enrolment, EnrolmentQuerySet
from provisioning.pollers import PollerKind
from provisioning.services.approvals import approve_operation, decline_operation, replaced_device
from provisioning.services.removal import end_enrolment
from provisioning.states import EnrolmentState
from provisioning.token_models import DeviceIdPolicy

_PAGE = 25
_WINDOWS = 100
_DECIDED = {"approve": "let in", "decline": "declined"}


@dataclass(frozen=True, slots=True)
class Row:
    """An operation with what a person needs to decide, and what they typed so far."""

    operation: Enrolment
    code: str
    replaces: Device | None
    may_decide: bool
    may_choose_id: bool
    must_choose_id: bool
    name: str = ""
    device_id: str = ""
    is_chosen: bool = False
    problem: str = ""


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def waiting(request: ConsoleRequest) -> HttpResponse:
    if request.method == "POST":
        return _close(request) if "close" in request.POST else _decide(request)
    if wants_part(request) and request.htmx.target == "waiting-badge":
        return render_page(request, "console/_badge.html", {})
    return _render(request, {})


def _decide(request: ConsoleRequest) -> HttpResponse:
    """One row by its own button, or those that are ticked."""
    verb = next((verb for verb in _DECIDED if verb in request.POST or f"{verb}-chosen" in request.POST), "")
    if not verb:
        raise InvalidRequest("The form is not complete. Load the page again.")
    keys = [request.POST[verb]] if verb in request.POST else request.POST.getlist("chosen")
    # All of them first: with one that is not the user's, nothing is decided.
    operations = [_operation(request, key) for key in keys[:_PAGE]]
    if not operations:
        return _answer(request, "Tick the devices you have compared first.", {}, is_problem=True)
    problems: dict[uuid.UUID, str] = {}
    for operation in operations:
        try:
            _decide_on(request, verb, operation)
        except DomainError as error:
            problems[operation.public_id] = error.detail
    done = len(operations) - len(problems)
    said = f"{done} device{'s were' if done != 1 else ' was'} {_DECIDED[verb]}."
    if problems:
        said += f" {len(problems)} could not be: " + " ".join(sorted(set(problems.values())))
    return _answer(request, said, problems, is_problem=bool(problems))


def _decide_on(request: ConsoleRequest, verb: str, operation: Enrolment) -> None:
    if verb == "decline":
        decline_operation(operation=operation, actor=acting(request))
        return
    approve_operation(
        operation=operation,
        actor=acting(request),
        device_id=plain(request, f"device-id-{operation.public_id}"),
        name=plain(request, f"name-{operation.public_id}"),
    )


def _close(request: ConsoleRequest) -> HttpResponse:
    window = (
        _windows().filter(tenant__memberships__user_id=request.user.pk, public_id=_id(request.POST["close"])).first()
    )
    if window is None:
        raise NotFound("There is no such window. The device may have come meanwhile.")
    require_role(user_id=request.user.pk, tenant_id=window.tenant_id or 0, role=Role.TECHNICIAN)
    end_enrolment(
        enrolment=window, to=EnrolmentState.EXPIRED, actor=acting(request), reason="a person closed its window"
    )
    said = f"Closed: a device with the serial number {window.serial_number} is not let in by itself any more."
    return _answer(request, said, {}, is_problem=False)


def _operation(request: ConsoleRequest, key: str) -> Enrolment:
    return get_operation(user_id=request.user.pk, key=str(_id(key)), role=Role.TECHNICIAN)


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound("There is no such device waiting.") from None


def _answer(request: ConsoleRequest, said: str, problems: dict[uuid.UUID, str], *, is_problem: bool) -> HttpResponse:
    """What was done, and the list as it is now, with what was typed where it could not be."""
    if wants_part(request):
        answer = _render(request, problems)
        answer = trigger_client_event(answer, "said", {"text": said, "isProblem": is_problem})
        return trigger_client_event(answer, "waiting-changed")
    if not is_problem:
        messages.success(request, said)
        return redirect("console:waiting")
    messages.error(request, said)
    return _render(request, problems)


def _render(request: ConsoleRequest, problems: dict[uuid.UUID, str]) -> HttpResponse:
    frame, after = frame_of(request), request.GET.get("after", "")
    operations = operations_of(user_id=request.user.pk).undecided(now()).filter(tenant__in=frame.tenants)
    page, following = newest_page(operations, after=after, size=_PAGE)
    windows = list(_windows().filter(tenant__in=frame.tenants).order_by("-pk")[: _WINDOWS + 1])
    rows = [_row(request, frame, operation, problems) for operation in page]
    context: dict[str, Any] = {
        "rows": rows,
        "may_decide": any(row.may_decide for row in rows),
        "windows": [(window, frame.allows(Role.TECHNICIAN, window.tenant)) for window in windows[:_WINDOWS]],
        "has_more_windows": len(windows) > _WINDOWS,
        "windows_shown": _WINDOWS,
        "after": after,
        "following": following,
        "may_make_tokens": frame.allows(Role.ADMIN),
    }
    template = "console/waiting.html#waiting-list" if wants_part(request) else "console/waiting.html"
    return render_page(request, template, context)


def _row(request: ConsoleRequest, frame: Frame, operation: Enrolment, problems: dict[uuid.UUID, str]) -> Row:
    token, key = operation.token, operation.public_id
    return Row(
        operation=operation,
        code=group_code(operation.verification_code),
        replaces=replaced_device(operation=operation),
        may_decide=frame.allows(Role.TECHNICIAN, operation.tenant),
        may_choose_id=token is not None and token.policy.lets_technician_choose,
        must_choose_id=token is not None and token.policy == DeviceIdPolicy.TECHNICIAN_MUST and not token.device_id,
        # The whole list is one form: what was typed in other rows stays.
        name=plain(request, f"name-{key}"),
        device_id=plain(request, f"device-id-{key}"),
        is_chosen=str(key) in request.POST.getlist("chosen"),
        problem=problems.get(key, ""),
    )


def _windows() -> EnrolmentQuerySet:
    """Of devices that were let in before they came."""
    windows = Enrolment.objects.filter(
        state=EnrolmentState.UNLOCKED, poller_kind=PollerKind.UNBOUND, window_until__gt=now()
    )
    return windows.select_related("device", "tenant")
