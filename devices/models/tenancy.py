"""Who owns devices and where their data lives."""

import uuid

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q


class Region(models.Model):
    """Where a tenant's data lives, and the URLs its devices talk to after provisioning. An empty URL means: this
    portal.
    """

    code = models.CharField(max_length=16, unique=True, validators=[RegexValidator(r"^[a-z][a-z0-9-]*$")])
    name = models.CharField(max_length=100)
    portal_url = models.URLField(
        blank=True, help_text="Without a slash at the end, such as https://portal-au.example.com"
    )
    hub_url = models.CharField(max_length=200, blank=True, help_text="Such as wss://portal-au.example.com/hub/v1")

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Tenant(models.Model):
    """Owns products and devices. Nothing of one tenant is visible to users of another."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=50, unique=True)
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="tenants")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do, each including all below it."""

    OWNER = "owner"
    ADMIN = "admin"
    TECHNICIAN = "technician"
    VIEWER = "viewer"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what `other` may."""
        return self.rank >= other.rank


_RANKS = {Role.VIEWER: 0, Role.TECHNICIAN: 1, Role.ADMIN: 2, Role.OWNER: 3}


class Membership(models.Model):
    """A user's role in a tenant."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "tenant"], name="membership_once_per_tenant"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}: {self.role}"
