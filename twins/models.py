"""The twin of a device: what it should be (desired), what it is (reported), what only people see (tags)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from devices.models import Device


class TwinKind(models.TextChoices):
    """A device has one twin of kind Device; dialects give it more. No `choices` on the field: the list is open."""

    DEVICE = "Device"


class Section(models.TextChoices):
    TAGS = "tags"
    DESIRED = "desired"
    REPORTED = "reported"


class Acknowledgement(models.TextChoices):
    """What the device said of the desired version it named last."""

    NONE = ""
    APPLIED = "applied"
    FAILED = "failed"


class Twin(models.Model):
    """Versions rise by one per real change of a section and never go back within a generation."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="twins")
    kind = models.CharField(max_length=32, default=TwinKind.DEVICE)
    # Tells apart two twins that had the same name one after the other.
    generation = models.PositiveBigIntegerField()
    tags = models.JSONField(default=dict, blank=True)
    desired = models.JSONField(default=dict, blank=True)
    reported = models.JSONField(default=dict, blank=True)
    tags_version = models.PositiveBigIntegerField(default=0)
    desired_version = models.PositiveBigIntegerField(default=0)
    reported_version = models.PositiveBigIntegerField(default=0)
    # {JSON pointer: time of the last change}, for each leaf there is or was.
    desired_metadata = models.JSONField(default=dict, blank=True)
    reported_metadata = models.JSONField(default=dict, blank=True)
    acknowledged_version = models.PositiveBigIntegerField(default=0)
    acknowledgement = models.CharField(max_length=16, choices=Acknowledgement.choices, blank=True)
    acknowledgement_reason = models.CharField(max_length=512, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["device"], condition=Q(kind=TwinKind.DEVICE), name="twin_one_of_kind_device"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} twin of device {self.device_id}"


class TwinChange(models.Model):
    """One patch of one section, as it was made. Together they are the section's history."""

    twin = models.ForeignKey(Twin, on_delete=models.CASCADE, related_name="changes")
    section = models.CharField(max_length=16, choices=Section.choices)
    version = models.PositiveBigIntegerField()
    patch = models.JSONField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=16)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["twin", "section", "version"], name="twin_change_once_per_version"),
        ]
        indexes = [
            models.Index(fields=["twin", "-id"], name="twin_change_newest"),
            models.Index(fields=["at"], name="twin_change_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.section} {self.version} of twin {self.twin_id}"
