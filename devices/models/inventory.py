"""Products and devices."""

import contextlib
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Prefetch, Q

from devices.models.tenancy import Tenant

if TYPE_CHECKING:
    from devices.models.sessions import Session


class Product(models.Model):
    """A model of device that a tenant makes or runs (Exosite calls it client model, Xyte model)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="products")
    code = models.CharField(max_length=64, help_text="How devices name the product.")
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["tenant", "code"], name="product_code_once_per_tenant")]

    def __str__(self) -> str:
        return self.name


class DeviceState(models.TextChoices):
    """A device's lifecycle. Retired is the end: its id is never given out again, its serial number may be."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class DeviceQuerySet(models.QuerySet["Device"]):
    def present(self) -> "DeviceQuerySet":
        """All that were not retired; to users of the portal a retired device does not exist."""
        return self.exclude(state=DeviceState.RETIRED)

    def of_user(self, user_id: int) -> "DeviceQuerySet":
        """Those of the tenants the user is a member of."""
        return self.filter(tenant__memberships__user_id=user_id)

    def with_open_session(self) -> "DeviceQuerySet":
        """Fetch along what presence is read from; see devices.presence."""
        from devices.models.sessions import Session

        open_sessions = Session.objects.filter(closed_at=None).select_related("process")
        return self.prefetch_related(Prefetch("sessions", queryset=open_sessions, to_attr="open_sessions"))

    def with_presence(self, state: str, moment: datetime) -> "DeviceQuerySet":
        """Only those that are "online", or only those that are not ("offline"); all for anything else."""
        from devices.models.sessions import Session

        connected = Exists(
            Session.objects.filter(
                device=OuterRef("pk"), closed_at=None, process__lease_until__gte=moment, process__stopped_at=None
            )
        )
        match state:
            case "online":
                return self.filter(connected)
            case "offline":
                return self.exclude(connected)
        return self

    def search(self, text: str) -> "DeviceQuerySet":
        """By the start of the serial number, the start of the name, or the whole id."""
        from devices.serials import serial_key

        # No name holds U+0000, and PostgreSQL refuses to look for it.
        text = text.replace("\x00", "\ufffd")
        found = Q(name__istartswith=text)
        if key := serial_key(text):
            found |= Q(serial_key__startswith=key)
        with contextlib.suppress(ValueError):
            found |= Q(public_id=uuid.UUID(text))
        return self.filter(found)


class Device(models.Model):
    """One device that was let in: the row everything else about it hangs on."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="devices")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="devices", null=True, blank=True)
    serial_number = models.CharField(max_length=64)
    serial_key = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=DeviceState.choices, default=DeviceState.ACTIVE)
    # What the device said about itself when it was let in.
    attributes = models.JSONField(default=dict, blank=True)
    # Rises with each connection; a write that names an older one comes from a connection that was replaced.
    session_epoch = models.PositiveIntegerField(default=0)
    # The first accepted contact, which put it in service.
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="claimed_devices"
    )
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=DeviceState.values), name="device_state_known"),
            models.UniqueConstraint(
                fields=["product", "serial_key"],
                condition=~Q(state=DeviceState.RETIRED) & Q(product__isnull=False),
                name="device_serial_once_per_product",
            ),
            models.UniqueConstraint(
                fields=["tenant", "serial_key"],
                condition=~Q(state=DeviceState.RETIRED) & Q(product__isnull=True),
                name="device_serial_once_per_tenant",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="device_tenant_newest"),
            models.Index(fields=["serial_key"], name="device_serial"),
        ]

    def __str__(self) -> str:
        return self.name or self.serial_number

    @property
    def open_session(self) -> "Session | None":
        """The connection it has, of a device that was fetched with `DeviceQuerySet.with_open_session()`."""
        sessions: list[Session] = self.__dict__["open_sessions"]
        return sessions[0] if sessions else None
