"""Serial numbers that a product's owner announced before any device came."""

from typing import Any

from django.db import models
from django.db.models import Case, Exists, OuterRef, Value, When

from devices.models.inventory import Device, DeviceState, Product


class SerialState(models.TextChoices):
    """What became of a listed serial number. Read from the devices there are, and stored nowhere."""

    UNUSED = "unused", "no device was let in with it"
    LET_IN = "let-in", "its device was let in and has not come yet"
    ACTIVE = "active", "its device came aboard"


class ListedSerialQuerySet(models.QuerySet["ListedSerial"]):
    def with_state(self) -> models.QuerySet[Any]:
        """Each with `state`, a SerialState."""
        devices = Device.objects.exclude(state=DeviceState.RETIRED).filter(
            product=OuterRef("product"), serial_key=OuterRef("serial_key")
        )
        return self.annotate(
            state=Case(
                When(Exists(devices.filter(activated_at__isnull=False)), then=Value(SerialState.ACTIVE.value)),
                When(Exists(devices), then=Value(SerialState.LET_IN.value)),
                default=Value(SerialState.UNUSED.value),
            )
        )


class ListedSerial(models.Model):
    """One serial number on a product's list."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="listed_serials")
    serial_number = models.CharField(max_length=64)
    serial_key = models.CharField(max_length=64, editable=False)
    # When it let a device in by itself (Product.admits_by_serial_alone), which it does once.
    admitted_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField()

    objects = ListedSerialQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "serial_key"], name="listed_serial_once_per_product"),
        ]
        indexes = [models.Index(fields=["product", "-id"], name="listed_serial_newest")]

    def __str__(self) -> str:
        return self.serial_number
