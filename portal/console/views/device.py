"""One device: its identity, its presence, how it came aboard and what happened since."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from devices.access import get_device
from devices.errors import DomainError
from devices.models import Credential, Device, Role
from devices.presence import presence_of
from devices.services.inventory import rename_device
from portal.console.frame import frame_of
from portal.console.page import ConsoleRequest, console_page, render_page, wants_part
from portal.console.past import entries_of, sessions_of
from portal.console.story import came_aboard
from portal.console.words import timeline
from portal.lib.clock import now

_LINES = 60


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def device(request: ConsoleRequest, device_id: uuid.UUID) -> HttpResponse:
    role = Role.TECHNICIAN if request.method == "POST" else Role.VIEWER
    found = get_device(user_id=request.user.pk, device_id=device_id, role=role)
    problem = ""
    if request.method == "POST":
        try:
            rename_device(device=found, name=request.POST.get("name", ""))
        except DomainError as error:
            problem = error.detail
            found.refresh_from_db(fields=["name"])
        else:
            messages.success(request, f"Renamed to {found.name}.")
            return redirect("console:device", device_id)
    return render_device(
        request, "console/device.html", found, {"rename_problem": problem, **_overview(found)}, "overview"
    )


def render_device(
    request: ConsoleRequest, template: str, found: Device, context: dict[str, Any], *parts: str
) -> HttpResponse:
    """A tab of the device page, or the part htmx asks for: the presence in the header, or one of the tab's own."""
    part = request.htmx.target if wants_part(request) else None
    if part == "presence":
        template = "console/_device.html#presence"
    elif part in parts:
        template = f"{template}#{part}"
    shared = {
        "device": found,
        "presence": presence_of(found, now()),
        "session": found.open_session,
        "is_clone_suspected": Credential.objects.usable(now())
        .filter(device=found, clone_suspected_at__isnull=False)
        .exists(),
        "may_change": frame_of(request).allows(Role.TECHNICIAN, found.tenant),
        "may_delete": frame_of(request).allows(Role.ADMIN, found.tenant),
    }
    return render_page(request, template, {**shared, **context})


def _overview(found: Device) -> dict[str, Any]:
    enrolments = list(found.enrolments.order_by("-pk")[:5])
    return {
        "enrolment": enrolments[0] if enrolments else None,
        "story": came_aboard(found, enrolments[0] if enrolments else None),
        "events": timeline(entries_of(found, enrolments, limit=_LINES), sessions_of(found))[:_LINES],
    }
