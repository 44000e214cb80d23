"""Periodic work on devices and sessions. Each task is idempotent and safe beside a second worker."""

from celery import shared_task

from devices.services.retention import purge_history
from devices.services.sessions import close_abandoned_sessions


@shared_task
def close_abandoned_sessions_task() -> int:
    return close_abandoned_sessions()


@shared_task
def purge_history_task() -> int:
    return purge_history()
