"""The first start: a region, a tenant, and somebody who may log in."""

import logging
import secrets
from dataclasses import dataclass, field

from django.db import transaction

from devices.models import Membership, Region, Role, Tenant, User
from portal.lib.logs import log_event

logger = logging.getLogger(__name__)

# Region eu always exists: provisioning happens there, whatever region a tenant is in.
_REGIONS = {"eu": "Europe", "au": "Australia", "uae": "United Arab Emirates", "us": "United States", "in": "India"}


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The administrator that was made. The password exists only here."""

    username: str
    password: str = field(repr=False)


@transaction.atomic
def bootstrap_installation(*, admin_password: str | None = None) -> Bootstrap | None:
    """Make the regions, a first tenant and an administrator who owns it. None when there are users already."""
    for code, name in _REGIONS.items():
        Region.objects.get_or_create(code=code, defaults={"name": name})
    if User.objects.exists():
        return None
    tenant, _ = Tenant.objects.get_or_create(
        slug="default", defaults={"name": "Default", "region": Region.objects.get(code="eu")}
    )
    password = admin_password or secrets.token_urlsafe(12)
    user = User.objects.create_superuser("admin", "", password)
    Membership.objects.create(user=user, tenant=tenant, role=Role.OWNER)
    log_event(logger, "administrator-created", user=user.username)
    return Bootstrap(user.username, password)
