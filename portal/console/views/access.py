"""What a device authenticates with, where it was connected, and its deletion."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from devices.access import get_device
from devices.models import Role
from devices.services.sessions import newest_sessions
from portal.console.page import ConsoleRequest, acting, console_page
from portal.console.views.device import render_device
from provisioning.services.removal import delete_device


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def access(request: ConsoleRequest, device_id: uuid.UUID) -> HttpResponse:
    role = Role.ADMIN if request.method == "POST" else Role.VIEWER
    found = get_device(user_id=request.user.pk, device_id=device_id, role=role)
    problem = ""
    if request.method == "POST":
        if " ".join(request.POST.get("name", "").split()) == found.name:
            delete_device(device=found, actor=acting(request))
            messages.success(request, f"{found.name} was deleted. Its credentials and its connection have ended.")
            return redirect("console:devices")
        problem = f"Nothing was deleted: type the device's name, {found.name}, to confirm."
    context = {
        "credentials": found.credentials.order_by("-issued_at"),
        "sessions": newest_sessions(device=found),
        "problem": problem,
    }
    return render_device(request, "console/device_access.html", found, context, "access")
