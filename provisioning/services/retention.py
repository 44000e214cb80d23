"""Deleting enrolments that ended long ago. Their moves stay in the history, which has its own time."""

from datetime import timedelta

from django.conf import settings

from devices.services.retention import delete_in_batches
from portal.lib.clock import now
from provisioning.models import Enrolment


def purge_enrolments() -> int:
    """Delete enrolments that ended more than ENROLMENT_RETENTION_DAYS ago; none when that is 0. Returns how many.

    Those by which a device is aboard have not ended, however old they are.
    """
    if not settings.ENROLMENT_RETENTION_DAYS:
        return 0
    cutoff = now() - timedelta(days=settings.ENROLMENT_RETENTION_DAYS)
    return delete_in_batches(rows=Enrolment.objects.filter(ended_at__lt=cutoff).order_by("ended_at"))
