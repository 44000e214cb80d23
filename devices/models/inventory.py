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

# Seconds, for products that say nothing else, and for devices without a product.
ACTIVATION_WINDOW = 24 * 3600


class Admission(models.TextChoices):
    """Which serial numbers a product lets in."""

    OPEN = "open", "any serial number"
    LISTED = "listed", "only listed serial numbers"


class Product(models.Model):
    """A model of device that a tenant makes or runs (Exosite calls it client model, Xyte model)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="products")
    code = models.CharField(max_length=64, help_text="How devices name the product.")
    name = models.CharField(max_length=100)
    activation_window = models.PositiveIntegerField(
        default=ACTIVATION_WINDOW, help_text="Seconds in which a device that was let in before its first poll may come."
    )
    admission = models.CharField(max_length=16, choices=Admission.choices, default=Admission.OPEN)
    # Off unless somebody wants it: serial numbers are printed on boxes, and whoever polls with one first is the device.
    admits_by_serial_alone = models.BooleanField(
        default=False, help_text="Let a listed serial number in, once, without a person and without any proof."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "code"], name="product_code_once_per_tenant"),
            models.CheckConstraint(condition=Q(admission__in=Admission.values), name="product_admission_known"),
        ]
        indexes = [
            models.Index(fields=["code"], condition=Q(admits_by_serial_alone=True), name="product_admits_by_serial")
        ]

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
        """By the start of the serial number, of the name or of the external id, or by the whole id."""
        from devices.serials import serial_key

        # No name holds U+0000, and PostgreSQL refuses to look for it.
        text = text.replace("\x00", "\ufffd")
        found = Q(name__istartswith=text) | Q(external_id__startswith=text)
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
    serial_number = models.CharField(max_length=64, blank=True)
    # "" for a device that never named one: then its external id tells it apart.
    serial_key = models.CharField(max_length=64, editable=False, blank=True)
    # The id the device, or who let it in, chose for it (Spotflow: Device ID); "" when nobody did.
    external_id = models.CharField(max_length=90, blank=True, default="")
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=16, choices=DeviceState.choices, default=DeviceState.ACTIVE)
    # What the device said about itself when it was let in.
    attributes = models.JSONField(default=dict, blank=True)
    # Seconds after which a secret it is given ends, as the token it came with demands; None: secrets do not end.
    credential_lifetime = models.PositiveIntegerField(null=True, blank=True)
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
                condition=~Q(state=DeviceState.RETIRED) & Q(product__isnull=False) & ~Q(serial_key=""),
                name="device_serial_once_per_product",
            ),
            models.UniqueConstraint(
                fields=["tenant", "serial_key"],
                condition=~Q(state=DeviceState.RETIRED) & Q(product__isnull=True) & ~Q(serial_key=""),
                name="device_serial_once_per_tenant",
            ),
            models.UniqueConstraint(
                fields=["tenant", "external_id"],
                condition=~Q(state=DeviceState.RETIRED) & ~Q(external_id=""),
                name="device_external_id_once_per_tenant",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="device_tenant_newest"),
            models.Index(fields=["serial_key"], name="device_serial"),
        ]

    def __str__(self) -> str:
        return self.name or self.serial_number or self.external_id

    @property
    def open_session(self) -> "Session | None":
        """The connection it has, of a device that was fetched with `DeviceQuerySet.with_open_session()`."""
        sessions: list[Session] = self.__dict__["open_sessions"]
        return sessions[0] if sessions else None
