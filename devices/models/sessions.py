"""Hub processes and the sessions devices keep with them."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q

from devices.models.credentials import Credential
from devices.models.inventory import Device


class HubProcess(models.Model):
    """A process that holds device sockets. It renews one lease for all of them; when it dies, they come into doubt."""

    name = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Where the channel layer reaches it.
    channel = models.CharField(max_length=120)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "hub processes"
        indexes = [models.Index(fields=["lease_until"], name="hub_process_lease")]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class CloseReason(models.TextChoices):
    DEVICE = "device", "the device closed the connection"
    LOST = "lost", "the connection was lost"
    REPLACED = "replaced", "another connection of the device took over"
    REVOKED = "revoked", "the credentials were revoked"
    MOVED = "moved", "the device went to another tenant"
    PROTOCOL = "protocol", "the device broke the protocol"
    ENDED = "ended", "staff ended the connection; the device may come back"
    SHUTDOWN = "shutdown", "the hub process stopped"
    ABANDONED = "abandoned", "the hub process died"


class SessionQuerySet(models.QuerySet["Session"]):
    def open(self) -> "SessionQuerySet":
        return self.filter(closed_at=None)

    def abandoned(self, before: datetime) -> "SessionQuerySet":
        """Open ones of processes whose lease ended before the moment given."""
        return self.open().filter(process__lease_until__lt=before)


class Session(models.Model):
    """One connection of a device to the hub, from its acceptance to its end."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="sessions")
    credential = models.ForeignKey(Credential, on_delete=models.SET_NULL, null=True, related_name="sessions")
    process = models.ForeignKey(HubProcess, on_delete=models.PROTECT, related_name="sessions")
    epoch = models.PositiveIntegerField()
    network = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=128, blank=True)
    connected_at = models.DateTimeField()
    # Written at most once per lease renewal, for all sessions of a process together.
    last_frame_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=16, choices=CloseReason.choices, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "epoch"], name="session_epoch_once_per_device"),
            models.UniqueConstraint(fields=["device"], condition=Q(closed_at=None), name="session_one_open_per_device"),
        ]
        indexes = [
            models.Index(fields=["process"], condition=Q(closed_at=None), name="session_open_by_process"),
            models.Index(fields=["device", "-epoch"], name="session_device_newest"),
        ]

    def __str__(self) -> str:
        return f"session {self.epoch} of device {self.device_id}"
