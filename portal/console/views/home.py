"""The way in, and the choice of the tenant to work in."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from devices.access import get_tenant
from devices.models import Device
from portal.console.frame import choose_tenant_of_session
from portal.console.page import ConsoleRequest, console_page


@console_page
@require_safe
def home(request: ConsoleRequest) -> HttpResponse:
    """Whoever has no device yet wants to let one in."""
    has_devices = Device.objects.present().of_user(request.user.pk).exists()
    return redirect("console:devices" if has_devices else "console:claim")


@console_page
@require_POST
def switch_tenant(request: ConsoleRequest) -> HttpResponse:
    """Work in one tenant, or in all of the user's."""
    chosen = request.POST.get("tenant", "")
    choose_tenant_of_session(request, get_tenant(user_id=request.user.pk, tenant_id=chosen) if chosen else None)
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if is_ours else "console:devices")
