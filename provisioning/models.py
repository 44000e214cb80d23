"""A device's attempt to join, and the codes people type. Tokens have a module of their own."""

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q

from devices.models import Device, Tenant
from provisioning.guess_models import EntryCount as EntryCount
from provisioning.pollers import PollerKind
from provisioning.states import (
    HANDED_OVER_STATES,
    LIVE_STATES,
    OPEN_STATES,
    WITH_DEVICE_STATES,
    CodeState,
    EnrolmentState,
)
from provisioning.token_models import ProvisioningToken as ProvisioningToken

# A device that lost its key comes back with a new one; what was not heard of for so long is no rival any more.
CONTEST_WINDOW = timedelta(minutes=10)


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    def live(self) -> "EnrolmentQuerySet":
        return self.filter(state__in=LIVE_STATES)

    def waiting(self, moment: datetime) -> "EnrolmentQuerySet":
        """Those that a person can unlock: waiting, and heard of within the enrolment's lifetime."""
        return self.filter(state=EnrolmentState.WAITING, token=None, last_polled_at__gt=moment - lifetime())

    def operations(self) -> "EnrolmentQuerySet":
        """Those that began with a provisioning token."""
        return self.filter(token__isnull=False)

    def undecided(self, moment: datetime) -> "EnrolmentQuerySet":
        """Operations that a person of the token's tenant may still approve."""
        return self.filter(state=EnrolmentState.WAITING, token__revoked_at=None, decide_until__gt=moment)

    def rivals(self, enrolment: "Enrolment", moment: datetime) -> "EnrolmentQuerySet":
        """Other pollers that wait with the same serial number and were heard of lately."""
        heard = self.filter(state=EnrolmentState.WAITING, last_polled_at__gt=moment - CONTEST_WINDOW)
        return heard.filter(serial_key=enrolment.serial_key).exclude(pk=enrolment.pk)

    def stale(self, moment: datetime) -> "list[EnrolmentQuerySet]":
        """Open ones whose time is over, one query for each reason, so that each has its index."""
        waiting, unlocked = self.filter(state=EnrolmentState.WAITING), self.filter(state=EnrolmentState.UNLOCKED)
        return [
            waiting.filter(last_polled_at__lte=moment - lifetime(), token=None),
            waiting.filter(decide_until__lte=moment),
            waiting.filter(token__revoked_at__isnull=False),
            unlocked.filter(unlocked_at__lte=moment - lifetime(), window_until=None),
            unlocked.filter(window_until__lte=moment),
        ]


def lifetime() -> timedelta:
    """How long a silent device stays waiting, and how long an unlocked one may take to collect its credentials."""
    return timedelta(seconds=settings.ENROLMENT_LIFETIME)


class Enrolment(models.Model):
    """One device's attempt to join. Its poll token, if it has one, keeps its hand-over from anybody else."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    serial_number = models.CharField(max_length=64, blank=True)
    # What attempts of one device are found by: the serial number's key, or `operation_key` of one with a token.
    serial_key = models.CharField(max_length=64, editable=False)
    # Whom it belongs to (provisioning.pollers); "" is the digest of a plain poller, who names only its serial number.
    poller_kind = models.CharField(max_length=8, default=PollerKind.PLAIN.value, editable=False)
    poller_digest = models.CharField(max_length=64, blank=True, editable=False)
    public_key = models.CharField(max_length=64, blank=True, editable=False)
    # What the device says about itself. Nothing of it is proven.
    stated_product = models.CharField(max_length=64, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    network = models.GenericIPAddressField(null=True)
    state = models.CharField(max_length=16, choices=EnrolmentState.choices, default=EnrolmentState.WAITING)
    # Two digits that only the device that got the code is told; "" until a person's entry of it needs them.
    match_number = models.CharField(max_length=2, blank=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="enrolments")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="enrolments")
    created_at = models.DateTimeField()
    # Written at most once in half a minute.
    last_polled_at = models.DateTimeField()
    # The token it began with, which says whose it is; such an enrolment is called an operation.
    token = models.ForeignKey(ProvisioningToken, on_delete=models.RESTRICT, null=True, related_name="enrolments")
    # What the device wants to be called.
    requested_id = models.CharField(max_length=90, blank=True, editable=False)
    # Shown by the device and to the person who approves, to be compared. It opens nothing, so it is kept readable.
    verification_code = models.CharField(max_length=6, blank=True, editable=False)
    decide_until = models.DateTimeField(null=True, editable=False)
    unlocked_at = models.DateTimeField(null=True)
    # Until when the first poller takes an enrolment that was unlocked before any device came.
    window_until = models.DateTimeField(null=True, editable=False)
    delivered_at = models.DateTimeField(null=True)
    # What was handed over, for the poller alone to open; gone once it confirmed, or did not in time.
    sealed_hand_over = models.BinaryField(null=True, editable=False)
    sealed_until = models.DateTimeField(null=True, editable=False)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=EnrolmentState.values), name="enrolment_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=WITH_DEVICE_STATES) | Q(device__isnull=False), name="enrolment_let_in_has_device"
            ),
            models.UniqueConstraint(
                fields=["serial_key", "poller_digest"],
                condition=Q(state__in=OPEN_STATES),
                name="enrolment_one_open_per_poller",
            ),
            # Of two with one serial number, one is let in.
            models.UniqueConstraint(
                fields=["serial_key"],
                condition=Q(state__in=WITH_DEVICE_STATES),
                name="enrolment_one_let_in_per_serial",
            ),
            models.UniqueConstraint(
                fields=["tenant", "verification_code"],
                condition=Q(state=EnrolmentState.WAITING) & ~Q(verification_code=""),
                name="enrolment_verification_code_once",
            ),
            models.CheckConstraint(
                condition=Q(token__isnull=True) | Q(tenant__isnull=False), name="enrolment_operation_has_tenant"
            ),
            # Whoever is not bound yet is so within a window, which ends.
            models.CheckConstraint(
                condition=~Q(poller_kind=PollerKind.UNBOUND.value) | Q(window_until__isnull=False),
                name="enrolment_unbound_has_window",
            ),
        ]
        indexes = [
            models.Index(fields=["serial_key"], condition=Q(state__in=LIVE_STATES), name="enrolment_live_by_serial"),
            models.Index(fields=["state", "last_polled_at"], name="enrolment_by_age"),
            models.Index(
                fields=["sealed_until"], condition=Q(sealed_until__isnull=False), name="enrolment_sealed_by_end"
            ),
            models.Index(fields=["token", "-id"], condition=Q(token__isnull=False), name="enrolment_of_token"),
            models.Index(fields=["tenant", "-id"], condition=Q(token__isnull=False), name="enrolment_operation_newest"),
            models.Index(
                fields=["decide_until"], condition=Q(state=EnrolmentState.WAITING), name="enrolment_operation_by_end"
            ),
            models.Index(
                fields=["window_until"], condition=Q(state=EnrolmentState.UNLOCKED), name="enrolment_window_by_end"
            ),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="enrolment_by_end"),
        ]

    def __str__(self) -> str:
        return f"enrolment of {self.serial_number} ({self.state})"

    @property
    def is_handed_over(self) -> bool:
        return self.state in HANDED_OVER_STATES

    @property
    def is_unbound(self) -> bool:
        """Unlocked before any device came: the first poller takes it."""
        return self.state == EnrolmentState.UNLOCKED and self.poller_kind == PollerKind.UNBOUND

    def is_stale(self, moment: datetime) -> bool:
        """Whether its time is over: EnrolmentQuerySet.stale for one row."""
        match self.state:
            case EnrolmentState.WAITING if self.token is not None:
                ended = self.decide_until is not None and self.decide_until <= moment
                return ended or self.token.revoked_at is not None
            case EnrolmentState.WAITING:
                return self.last_polled_at <= moment - lifetime()
            case EnrolmentState.UNLOCKED if self.window_until is not None:
                return self.window_until <= moment
            case EnrolmentState.UNLOCKED:
                return self.unlocked_at is not None and self.unlocked_at <= moment - lifetime()
        return False


class ProvisioningCodeQuerySet(models.QuerySet["ProvisioningCode"]):
    def redeemable(self, moment: datetime) -> "ProvisioningCodeQuerySet":
        """Those a person may use now. Expiry is a comparison; no task has to run for it."""
        return self.filter(state=CodeState.ISSUED, expires_at__gt=moment)


class ProvisioningCode(models.Model):
    """A code that was issued. Kept as a keyed digest; rows stay for a day, so that no code comes back within one."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="codes")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    state = models.CharField(max_length=16, choices=CodeState.choices, default=CodeState.ISSUED)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    redeemed_at = models.DateTimeField(null=True)

    objects = ProvisioningCodeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=CodeState.values), name="code_state_known"),
            models.UniqueConstraint(
                fields=["enrolment"], condition=Q(state=CodeState.ISSUED), name="code_one_issued_per_enrolment"
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state=CodeState.ISSUED), name="code_issued_by_expiry"),
            models.Index(fields=["enrolment", "-issued_at"], name="code_newest_of_enrolment"),
            models.Index(fields=["issued_at"], name="code_by_age"),
        ]

    def __str__(self) -> str:
        return f"code of enrolment {self.enrolment_id} ({self.state})"
