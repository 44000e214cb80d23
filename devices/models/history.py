"""What happened, to what, by whom."""

from django.conf import settings
from django.db import models

from devices.models.inventory import Device
from devices.models.tenancy import Tenant


class Subject(models.TextChoices):
    """The kinds of thing that have states."""

    DEVICE = "device"
    CREDENTIAL = "credential"
    ENROLMENT = "enrolment"
    CODE = "code"
    TOKEN = "token"  # noqa: S105  the name of a kind


class HistoryEntry(models.Model):
    """One move of one thing from one state to another, written in the transaction of the move. Never changed."""

    at = models.DateTimeField()
    subject = models.CharField(max_length=16, choices=Subject.choices)
    subject_id = models.UUIDField()
    from_state = models.CharField(max_length=16, blank=True)
    to_state = models.CharField(max_length=16)
    reason = models.CharField(max_length=200, blank=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="history")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="history")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    # "user", "device" or "system"; stays when the user is deleted.
    actor = models.CharField(max_length=16)
    network = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "history"
        indexes = [
            models.Index(fields=["subject", "subject_id", "id"], name="history_of_subject"),
            models.Index(fields=["device", "-id"], name="history_of_device"),
            models.Index(fields=["tenant", "-id"], name="history_of_tenant"),
            models.Index(fields=["at"], name="history_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.from_state or '·'} → {self.to_state}"
