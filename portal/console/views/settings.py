"""The person's own settings, their API tokens, and who else is in their tenants."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from devices.errors import DomainError, NotFound
from devices.models import ApiToken, Membership, Role
from devices.services.api_tokens import create_api_token, revoke_api_token
from portal.console.frame import frame_of
from portal.console.page import ConsoleRequest, console_page, plain, render_page
from provisioning.budget import Stage
from provisioning.services.guesses import BudgetStatus, guess_budget_status

_STAGES = {
    Stage.OPEN: "A code is enough to let a device in.",
    Stage.STEP_UP: "Codes need the two digits that the device shows along with them.",
    Stage.SLOW: "Who entered no right code lately has to name the serial number along with a code.",
    Stage.PAUSED: "A code alone opens nothing: everybody has to name the serial number along with it.",
}


@console_page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: ConsoleRequest) -> HttpResponse:
    if "change-password" in request.POST:
        return _change_password(request)
    if "create-token" in request.POST:
        return _create_token(request)
    if "revoke-token" in request.POST:
        return _revoke_token(request)
    return _render(request, {})


def _change_password(request: ConsoleRequest) -> HttpResponse:
    form = PasswordChangeForm(request.user, request.POST)
    if not form.is_valid():
        return _render(request, {"password_form": form})
    update_session_auth_hash(request, form.save())
    messages.success(request, "Your password was changed. Other browsers you were logged in with are logged out.")
    return redirect("console:settings")


def _create_token(request: ConsoleRequest) -> HttpResponse:
    try:
        token, secret = create_api_token(user=request.user, name=plain(request, "name"))
    except DomainError as error:
        return _render(request, {"token_problem": error.detail})
    # Answered at once and not after a redirect: the secret is kept nowhere, not even in the session.
    return _render(request, {"new_token": token, "new_secret": secret})


def _revoke_token(request: ConsoleRequest) -> HttpResponse:
    try:
        public_id = uuid.UUID(request.POST["revoke-token"])
    except ValueError:
        raise NotFound("There is no such token.") from None
    token = ApiToken.objects.filter(user=request.user, public_id=public_id).select_related("user").first()
    if token is None:
        raise NotFound("There is no such token.")
    revoke_api_token(token=token)
    messages.success(request, f"The token {token.name} was revoked.")
    return redirect("console:settings")


def _render(request: ConsoleRequest, context: dict[str, Any]) -> HttpResponse:
    frame = frame_of(request)
    tenants, is_admin = frame.tenants, frame.allows(Role.ADMIN)
    members = Membership.objects.filter(tenant__in=tenants).select_related("user", "tenant__region")
    shared = {
        "password_form": PasswordChangeForm(request.user),
        "is_admin": is_admin,
        "gauge": _gauge(guess_budget_status(worst=0)) if is_admin else None,
        "tokens": ApiToken.objects.filter(user=request.user, revoked_at=None).order_by("-pk"),
        "members": members.order_by("tenant__name", "tenant_id", "user__username"),
    }
    return render_page(request, "console/settings.html", {**shared, **context})


def _gauge(status: BudgetStatus) -> dict[str, Any]:
    """Of the whole portal, and of nobody in it: guesses are counted across tenants."""
    return {
        "status": status,
        "says": _STAGES[status.stage],
        "is_open": status.stage == Stage.OPEN,
        # As one in so many: of a chance as small as this, digits behind the point say nothing to anybody.
        "one_in": round(1 / status.hit_chance) if status.hit_chance else None,
        "wished_one_in": round(1 / status.wished),
        "percent": min(100, round(100 * status.hit_chance / status.wished)),
    }
