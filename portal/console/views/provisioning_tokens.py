"""Provisioning tokens: what devices of a tenant may begin with. For administrators."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from devices.access import choose_tenant, get_product, memberships_of
from devices.errors import DomainError, Forbidden, InvalidRequest, NotFound
from devices.models import Product, Role, Tenant
from portal.console.cursors import newest_page
from portal.console.frame import frame_of
from portal.console.page import ConsoleRequest, acting, console_page, plain, render_page
from portal.lib.clock import now
from provisioning.access import get_provisioning_token
from provisioning.models import Enrolment, ProvisioningToken
from provisioning.services.tokens import create_provisioning_token, revoke_provisioning_token
from provisioning.token_models import Approval, DeviceIdPolicy

_PAGE = 50
_DAY = 24 * 3600
_LONGEST = 36_500  # days
_FIELDS = ("name", "tenant", "product", "policy", "device_id", "approval", "lifetime_days", "use_limit", "expires_days")
_STATES = {"usable": "usable", "used-up": "used up", "expired": "expired", "revoked": "revoked"}


@dataclass(frozen=True, slots=True)
class Row:
    token: ProvisioningToken
    state: str
    is_usable: bool
    is_revoked: bool
    lifetime_days: float | None
    # Operations that end with it.
    waiting: int


@console_page
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def provisioning_tokens(request: ConsoleRequest) -> HttpResponse:
    if not memberships_of(user_id=request.user.pk, role=Role.ADMIN):
        # Outsiders of a token are told the same: there is nothing for them on this page.
        raise Forbidden("This needs the role admin in a tenant.")
    if "revoke" in request.POST:
        return _revoke(request)
    if request.method == "POST":
        return _create(request)
    return _render(request, {})


def _create(request: ConsoleRequest) -> HttpResponse:
    typed = {name: plain(request, name) for name in _FIELDS}
    try:
        tenant = choose_tenant(user_id=request.user.pk, tenant_id=typed["tenant"] or None, role=Role.ADMIN)
        lifetime, expires = _days(typed["lifetime_days"]), _days(typed["expires_days"])
        token, secret = create_provisioning_token(
            tenant=tenant,
            name=typed["name"],
            product=get_product(user_id=request.user.pk, product_id=typed["product"]) if typed["product"] else None,
            device_id_policy=_policy(typed["policy"]),
            device_id=typed["device_id"],
            approval=_approval(typed["approval"]),
            maximum_credential_lifetime=lifetime * _DAY if lifetime else None,
            use_limit=_number(typed["use_limit"]),
            expires_at=now() + timedelta(days=expires) if expires else None,
            actor=acting(request),
        )
    except DomainError as error:
        return _render(request, {"problem": error.detail, "typed": typed})
    # Answered at once and not after a redirect: the secret is kept nowhere, not even in the session.
    return _render(request, {"new_token": token, "new_secret": secret})


def _revoke(request: ConsoleRequest) -> HttpResponse:
    try:
        token_id = uuid.UUID(request.POST["revoke"])
    except ValueError:
        raise NotFound("There is no such provisioning token.") from None
    token = get_provisioning_token(user_id=request.user.pk, token_id=token_id)
    if revoke_provisioning_token(token=token, actor=acting(request)):
        messages.success(request, f"The token {token.name} was revoked. Devices it let in stay.")
    else:
        messages.error(request, f"The token {token.name} was revoked before.")
    return redirect("console:provisioning-tokens")


def _policy(text: str) -> DeviceIdPolicy:
    if text not in DeviceIdPolicy.values:
        raise InvalidRequest("Choose who may choose the device id.")
    return DeviceIdPolicy(text)


def _approval(text: str) -> Approval:
    if text not in Approval.values:
        raise InvalidRequest("Choose whether a person approves.")
    return Approval(text)


def _days(text: str) -> int | None:
    days = _number(text)
    if days is not None and not 1 <= days <= _LONGEST:
        raise InvalidRequest(f"A number of days is from 1 to {_LONGEST}; leave it empty for no end.")
    return days


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InvalidRequest("A number is written with digits only, such as 30; leave it empty for no limit.")
    return int(text)


def _render(request: ConsoleRequest, context: dict[str, Any]) -> HttpResponse:
    frame, after = frame_of(request), request.GET.get("after", "")
    tenants = [tenant for tenant in frame.tenants if frame.allows(Role.ADMIN, tenant)]
    tokens = ProvisioningToken.objects.filter(tenant__in=tenants).select_related("tenant", "product", "created_by")
    page, following = newest_page(tokens, after=after, size=_PAGE)
    shared = {
        "rows": [_row(token) for token in page],
        "following": following,
        "after": after,
        "tenants": _own_tenants(request),
        "products": Product.objects.filter(tenant__in=_own_tenants(request)).select_related("tenant"),
        "policies": DeviceIdPolicy.choices,
        "approvals": Approval.choices,
        "typed": {
            "policy": DeviceIdPolicy.DEVICE_MAY.value,
            "approval": Approval.NEEDED.value,
            "tenant": str(frame.tenant.public_id) if frame.tenant else "",
        },
    }
    return render_page(request, "console/provisioning_tokens.html", {**shared, **context})


def _row(token: ProvisioningToken) -> Row:
    state, lifetime = token.state(now()), token.maximum_credential_lifetime
    return Row(
        token=token,
        state=_STATES[state],
        is_usable=state == "usable",
        is_revoked=state == "revoked",
        lifetime_days=lifetime / _DAY if lifetime else None,
        waiting=Enrolment.objects.filter(token=token).undecided(now()).count(),
    )


def _own_tenants(request: ConsoleRequest) -> list[Tenant]:
    return [membership.tenant for membership in memberships_of(user_id=request.user.pk, role=Role.ADMIN)]
