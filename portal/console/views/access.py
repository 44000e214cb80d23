"""What a device authenticates with, where it was connected, letting it in anew, giving it away, and its deletion."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from devices.access import get_device, get_tenant, memberships_of
from devices.errors import DomainError, InvalidRequest
from devices.models import Credential, Device, Role, Session
from portal.console.page import ConsoleRequest, acting, console_page, plain
from portal.console.past import moved_at, sessions_of
from portal.console.views.device import render_device
from portal.lib.clock import now
from provisioning.models import Enrolment
from provisioning.services.removal import delete_device
from provisioning.services.transfer import transfer_device
from provisioning.services.windows import open_until, re_enable
from provisioning.states import EnrolmentState


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """`state` is "current", "replaced", "expired" or "revoked". `networks` are those that use it by turns."""

    credential: Credential
    state: str
    networks: list[str]


@console_page
@require_http_methods(["GET", "HEAD", "POST"])
def access(request: ConsoleRequest, device_id: uuid.UUID) -> HttpResponse:
    role = Role.ADMIN if request.method == "POST" else Role.VIEWER
    found = get_device(user_id=request.user.pk, device_id=device_id, role=role)
    problem, part = "", ""
    if request.method == "POST":
        part = next((verb for verb in _VERBS if verb in request.POST), "delete")
        try:
            return _VERBS[part](request, found)
        except DomainError as error:
            if error.status in (403, 404):
                raise
            problem = error.detail
    moved = moved_at(found)
    rows = [_row(credential, moved) for credential in found.credentials.order_by("-issued_at", "-pk")]
    admin_of = [membership.tenant for membership in memberships_of(user_id=request.user.pk, role=Role.ADMIN)]
    context = {
        "credentials": rows,
        "sessions": sessions_of(found),
        "suspect": next((row for row in rows if row.networks), None),
        "unconfirmed": _unconfirmed(found),
        "open_until": open_until(device=found),
        "live_count": sum(row.state in ("current", "replaced") for row in rows),
        "other_tenants": [tenant for tenant in admin_of if tenant.pk != found.tenant_id],
        f"{part.replace('-', '_')}_problem": problem,
    }
    return render_device(request, "console/device_access.html", found, context, "access")


def _re_enable(request: ConsoleRequest, found: Device) -> HttpResponse:
    re_enable(device=found, actor=acting(request))
    messages.success(
        request,
        f"{found.name} may come aboard anew: what it had is dead. The first poll with its serial number gets new ones.",
    )
    return redirect("console:device-access", found.public_id)


def _transfer(request: ConsoleRequest, found: Device) -> HttpResponse:
    chosen = plain(request, "tenant")
    if not chosen:
        raise InvalidRequest("Choose the tenant it goes to.")
    to_tenant = get_tenant(user_id=request.user.pk, tenant_id=chosen, role=Role.ADMIN)
    transfer_device(device=found, to_tenant=to_tenant, actor=acting(request))
    messages.success(request, f"{found.name} belongs to {to_tenant.name} now.")
    return redirect("console:device-access", found.public_id)


def _delete(request: ConsoleRequest, found: Device) -> HttpResponse:
    if " ".join(request.POST.get("name", "").split()) != found.name:
        raise InvalidRequest(f"Nothing was deleted: type the device's name, {found.name}, to confirm.")
    delete_device(device=found, actor=acting(request))
    messages.success(request, f"{found.name} was deleted. Its credentials and its connection have ended.")
    return redirect("console:devices")


_VERBS: dict[str, Callable[[ConsoleRequest, Device], HttpResponse]] = {
    "re-enable": _re_enable,
    "transfer": _transfer,
    "delete": _delete,
}


def _row(credential: Credential, moved: datetime | None) -> CredentialRow:
    if moved and credential.last_used_at and credential.last_used_at < moved:
        # Where it was at another tenant is not told.
        credential.last_used_network = None
    state = _state(credential, now())
    is_suspect = credential.clone_suspected_at is not None and state in ("current", "replaced")
    return CredentialRow(credential, state, _networks(credential, moved) if is_suspect else [])


def _state(credential: Credential, moment: datetime) -> str:
    if credential.revoked_at is not None:
        return "revoked"
    if credential.expires_at is not None and credential.expires_at <= moment:
        return "expired"
    return "replaced" if credential.replaced_at is not None else "current"


def _networks(credential: Credential, moved: datetime | None) -> list[str]:
    """The two that the last connections came from, newest first; "unknown" alone where none was noted."""
    sessions = Session.objects.filter(credential=credential, network__isnull=False).order_by("-epoch")
    if moved is not None:
        sessions = sessions.filter(connected_at__gte=moved)
    seen = [network for network in sessions.values_list("network", flat=True)[:20] if network]
    return list(dict.fromkeys(seen))[:2] or ["unknown"]


def _unconfirmed(found: Device) -> Enrolment | None:
    """The hand-over that the device was given and never used."""
    newest = found.enrolments.order_by("-pk").first()
    return newest if newest is not None and newest.state == EnrolmentState.DELIVERED else None
