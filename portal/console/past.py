"""What may be seen of a device's past: of one that another tenant had before, only what came after."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q

from devices.models import Device, HistoryEntry, Session, Subject
from devices.services.sessions import newest_sessions
from provisioning.models import Enrolment, ProvisioningCode


def entries_of(found: Device, enrolments: list[Enrolment], *, limit: int) -> list[HistoryEntry]:
    """Rows of the device's tenant; and, unless another had it, those of its enrolments from before there was one."""
    rows = Q(device=found, tenant=found.tenant_id)
    if moved_at(found) is None:
        codes = ProvisioningCode.objects.filter(enrolment__in=enrolments)
        earlier = Q(subject=Subject.ENROLMENT, subject_id__in=[enrolment.public_id for enrolment in enrolments])
        earlier |= Q(subject=Subject.CODE, subject_id__in=list(codes.values_list("public_id", flat=True)))
        rows |= earlier & (Q(tenant=None) | Q(tenant=found.tenant_id))
    entries = HistoryEntry.objects.filter(rows).select_related("user", "device")
    return list(entries.order_by("-pk")[:limit])


def sessions_of(found: Device) -> Collection[Session]:
    """Its newest connections, without those it had at another tenant."""
    moved = moved_at(found)
    sessions = newest_sessions(device=found)
    return [session for session in sessions if moved is None or session.connected_at >= moved]


def moved_at(found: Device) -> datetime | None:
    """When another tenant had it last; None when none ever had."""
    elsewhere = HistoryEntry.objects.filter(device=found, tenant__isnull=False).exclude(tenant=found.tenant_id)
    return elsewhere.order_by("-pk").values_list("at", flat=True).first()
