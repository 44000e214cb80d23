"""Deleting what is older than anybody wants to look at."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from devices.models import HistoryEntry
from portal.lib.clock import now

BATCH = 1000


def purge_history() -> int:
    """Delete history older than HISTORY_RETENTION_DAYS; nothing when that is 0. Returns how many rows."""
    if not settings.HISTORY_RETENTION_DAYS:
        return 0
    cutoff = now() - timedelta(days=settings.HISTORY_RETENTION_DAYS)
    return delete_in_batches(rows=HistoryEntry.objects.filter(at__lt=cutoff).order_by("at"))


def delete_in_batches(*, rows: QuerySet[Any]) -> int:
    """Delete rows in short transactions, so that nobody waits long for one. Returns how many were deleted.

    Two that do it at once share the work: what the other deleted is simply gone.
    """
    deleted: int = 0
    while True:
        keys = list(rows.values_list("pk", flat=True)[:BATCH])
        _, counts = rows.model._default_manager.filter(pk__in=keys).delete()
        deleted += int(counts.get(rows.model._meta.label, 0))
        if len(keys) < BATCH:
            return deleted
