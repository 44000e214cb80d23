"""What devices authenticate with."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q

from devices.models.inventory import Device


class CredentialKind(models.TextChoices):
    DEVICE_SECRET = "device-secret"  # noqa: S105  the name of a kind


class CredentialQuerySet(models.QuerySet["Credential"]):
    def usable(self, moment: datetime) -> "CredentialQuerySet":
        """Neither revoked nor expired. Expiry is a comparison; no task has to run for it."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=moment), revoked_at=None)


class Credential(models.Model):
    """A secret that was handed to a device once. Kept as prefix and SHA-256 digest only."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="credentials")
    # No `choices`: each dialect adds kinds of its own, and a new kind is no migration.
    kind = models.CharField(max_length=32, default=CredentialKind.DEVICE_SECRET)
    prefix = models.CharField(max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_reason = models.CharField(max_length=100, blank=True, editable=False)
    # When a newer one took its place. It works on until `expires_at`, so that a device that lost the newer one heals.
    replaced_at = models.DateTimeField(null=True, blank=True, editable=False)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_network = models.GenericIPAddressField(null=True, blank=True, editable=False)
    # When two networks were seen to use it by turns: somebody may have copied it.
    clone_suspected_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["device", "kind"],
                condition=Q(revoked_at=None) & Q(replaced_at=None),
                name="credential_one_current_per_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.prefix}…"
