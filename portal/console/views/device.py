"""One device: its identity, its presence, how it came aboard and what happened since."""

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from devices.access import get_device
from devices.errors import DomainError
from devices.models import Device, HistoryEntry, Role, Subject
from devices.presence import presence_of
from devices.services.inventory import rename_device
from devices.services.sessions import newest_sessions
from portal.console.frame import frame_of
from portal.console.page import ConsoleRequest, console_page, render_page, wants_part
from portal.console.story import came_aboard
from portal.console.words import timeline
from portal.lib.clock import now
from provisioning.models import Enrolment, ProvisioningCode

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
        "may_change": frame_of(request).allows(Role.TECHNICIAN, found.tenant),
        "may_delete": frame_of(request).allows(Role.ADMIN, found.tenant),
    }
    return render_page(request, template, {**shared, **context})


def _overview(found: Device) -> dict[str, Any]:
    enrolments = list(found.enrolments.order_by("-pk")[:5])
    return {
        "enrolment": enrolments[0] if enrolments else None,
        "story": came_aboard(found, enrolments[0] if enrolments else None),
        "events": timeline(_entries(found, enrolments), newest_sessions(device=found))[:_LINES],
    }


def _entries(found: Device, enrolments: list[Enrolment]) -> list[HistoryEntry]:
    """Rows of the device, and those of its enrolments from before there was one."""
    codes = ProvisioningCode.objects.filter(enrolment__in=enrolments)
    earlier = Q(subject=Subject.ENROLMENT, subject_id__in=[enrolment.public_id for enrolment in enrolments])
    earlier |= Q(subject=Subject.CODE, subject_id__in=list(codes.values_list("public_id", flat=True)))
    entries = HistoryEntry.objects.filter(Q(device=found) | earlier).select_related("user")
    return list(entries.order_by("-pk")[:_LINES])
