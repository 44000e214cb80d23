"""What stands around every page: the user's tenants, and the one they work in at the moment."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest

from devices.access import memberships_of
from devices.models import Membership, Role, Tenant
from portal.lib.clock import now
from provisioning.models import Enrolment

_SESSION_KEY = "console-tenant"


@dataclass(frozen=True)
class Frame:
    """`tenant` is the one chosen, or the only one; None stands for all of several."""

    memberships: list[Membership]
    tenant: Tenant | None

    @property
    def is_switchable(self) -> bool:
        return len(self.memberships) > 1

    @property
    def tenants(self) -> list[Tenant]:
        """Those whose rows are listed now."""
        return [self.tenant] if self.tenant else [membership.tenant for membership in self.memberships]

    @cached_property
    def waiting(self) -> int:
        """How many devices need the user's decision: operations of the tenants in which they may decide."""
        tenants = [tenant.pk for tenant in self.tenants if self.allows(Role.TECHNICIAN, tenant)]
        return Enrolment.objects.undecided(now()).filter(tenant__in=tenants).count() if tenants else 0

    def allows(self, role: Role, tenant: Tenant | None = None) -> bool:
        """Whether the user has the role in the tenant, or in any."""
        return any(
            Role(membership.role).includes(role)
            for membership in self.memberships
            if tenant is None or membership.tenant_id == tenant.pk
        )


def frame_of(request: HttpRequest) -> Frame:
    """Read once per request."""
    frame: Frame | None = getattr(request, "console_frame", None)
    if frame is None:
        frame = _read_frame(request)
        request.console_frame = frame  # type: ignore[attr-defined]
    return frame


def choose_tenant_of_session(request: HttpRequest, tenant: Tenant | None) -> None:
    """Remember which tenant the user works in; None: all of theirs."""
    request.session[_SESSION_KEY] = str(tenant.public_id) if tenant else ""


def _read_frame(request: HttpRequest) -> Frame:
    memberships = memberships_of(user_id=request.user.pk) if request.user.is_authenticated else []
    if len(memberships) == 1:
        return Frame(memberships, memberships[0].tenant)
    chosen = request.session.get(_SESSION_KEY, "")
    tenant = next((m.tenant for m in memberships if str(m.tenant.public_id) == chosen), None)
    return Frame(memberships, tenant)
