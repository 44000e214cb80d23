"""The books of the guess budget (provisioning.budget): one row a source and hour, however many tries there are."""

from datetime import datetime

from django.db import models
from django.db.models import Q


class CountScope(models.TextChoices):
    """Whose row it is. People's entries are booked on three rows at once, devices' polls on one."""

    USER = "user"
    TENANT = "tenant"
    PEOPLE = "people", "all people"
    DEVICES = "devices", "all devices"


class EntryCountQuerySet(models.QuerySet["EntryCount"]):
    def since(self, hour: datetime) -> "EntryCountQuerySet":
        return self.filter(hour__gte=hour)

    def of(self, scope: CountScope, source: int = 0) -> "EntryCountQuerySet":
        return self.filter(scope=scope, source=source)


class EntryCount(models.Model):
    """Wrong and right entries of a source within one hour. In the database, so that no restart forgives them."""

    scope = models.CharField(max_length=8, choices=CountScope.choices)
    # The primary key of the user or tenant; 0 for all. No foreign key: counts outlive whoever is deleted in haste.
    source = models.BigIntegerField(default=0)
    hour = models.DateTimeField()
    wrong = models.PositiveIntegerField(default=0)
    wrong_serials = models.PositiveIntegerField(default=0)
    right = models.PositiveIntegerField(default=0)
    # What the wrong codes could have hit, in units of provisioning.budget.
    chance = models.BigIntegerField(default=0)
    last_entry_at = models.DateTimeField(null=True)

    objects = EntryCountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(scope__in=CountScope.values), name="entry_count_scope_known"),
            models.UniqueConstraint(fields=["scope", "source", "hour"], name="entry_count_once_an_hour"),
        ]
        indexes = [models.Index(fields=["hour", "scope"], name="entry_count_by_age")]

    def __str__(self) -> str:
        return f"entries of {self.scope} {self.source} at {self.hour:%Y-%m-%d %H}h"
