"""Provisioning tokens: what devices of a tenant may begin an enrolment with."""

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from devices.models import Product, Tenant


class DeviceIdPolicy(models.TextChoices):
    """Who may choose the id of a device. Where nobody does, it is the token's own, or else made by the portal."""

    FIXED = "fixed", "nobody"
    DEVICE_MAY = "device-may", "the device, if it wants to"
    DEVICE_MUST = "device-must", "the device"
    TECHNICIAN_MAY = "technician-may", "who approves, if they want to"
    TECHNICIAN_MUST = "technician-must", "who approves"
    EITHER_MAY = "either-may", "the device, and who approves may choose another"

    @property
    def lets_device_choose(self) -> bool:
        return self in (DeviceIdPolicy.DEVICE_MAY, DeviceIdPolicy.DEVICE_MUST, DeviceIdPolicy.EITHER_MAY)

    @property
    def lets_technician_choose(self) -> bool:
        return self in (DeviceIdPolicy.TECHNICIAN_MAY, DeviceIdPolicy.TECHNICIAN_MUST, DeviceIdPolicy.EITHER_MAY)


class Approval(models.TextChoices):
    NEEDED = "needed", "a person approves each device"
    AUTOMATIC = "automatic", "the token lets devices in"


class ProvisioningTokenQuerySet(models.QuerySet["ProvisioningToken"]):
    def usable(self, moment: datetime) -> "ProvisioningTokenQuerySet":
        """Those a device may begin with: neither revoked nor expired. Both are comparisons; no task has to run."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=moment), revoked_at=None)

    def with_uses_left(self) -> "ProvisioningTokenQuerySet":
        return self.filter(Q(use_limit=None) | Q(use_count__lt=F("use_limit")))


class ProvisioningToken(models.Model):
    """A secret put into devices when they are made or set up. Only its digest is kept; it is shown once."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="provisioning_tokens")
    # The product of the devices it lets in.
    product = models.ForeignKey(Product, on_delete=models.RESTRICT, null=True, blank=True, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    device_id_policy = models.CharField(
        max_length=16, choices=DeviceIdPolicy.choices, default=DeviceIdPolicy.DEVICE_MAY
    )
    # The one device it is for; "" for a token that many share.
    device_id = models.CharField(max_length=90, blank=True)
    approval = models.CharField(max_length=16, choices=Approval.choices, default=Approval.NEEDED)
    # Seconds; None: the secrets of its devices do not end.
    maximum_credential_lifetime = models.PositiveIntegerField(null=True, blank=True)
    # How many devices it may let in; None: as many as come.
    use_limit = models.PositiveIntegerField(null=True, blank=True)
    use_count = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)
    # Set by the sweep, when the history has it; says nothing about whether the token is valid.
    expiry_noted_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects = ProvisioningTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(device_id_policy__in=DeviceIdPolicy.values), name="token_device_id_policy_known"
            ),
            models.CheckConstraint(condition=Q(approval__in=Approval.values), name="token_approval_known"),
            models.CheckConstraint(
                condition=Q(use_limit=None) | Q(use_count__lte=F("use_limit")), name="token_uses_within_limit"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="token_of_tenant_newest"),
            models.Index(
                fields=["expires_at"], condition=Q(expiry_noted_at=None, revoked_at=None), name="token_by_expiry"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def policy(self) -> DeviceIdPolicy:
        return DeviceIdPolicy(self.device_id_policy)

    def state(self, moment: datetime) -> str:
        """One of "usable", "used-up", "expired" or "revoked"."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= moment:
            return "expired"
        return "used-up" if self.use_limit is not None and self.use_count >= self.use_limit else "usable"
