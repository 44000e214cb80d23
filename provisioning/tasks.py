"""Periodic work on enrolments, codes and counts: adapters around provisioning.services.expiry and guesses."""

from celery import shared_task

from provisioning.services.expiry import destroy_unconfirmed, expire_codes, expire_enrolments, purge_codes
from provisioning.services.guesses import purge_entry_counts
from provisioning.services.retention import purge_enrolments
from provisioning.services.tokens import note_expired_tokens


@shared_task
def expire_codes_task() -> int:
    return expire_codes()


@shared_task
def expire_enrolments_task() -> int:
    return expire_enrolments()


@shared_task
def destroy_unconfirmed_task() -> int:
    return destroy_unconfirmed()


@shared_task
def purge_codes_task() -> int:
    return purge_codes()


@shared_task
def purge_entry_counts_task() -> int:
    return purge_entry_counts()


@shared_task
def note_expired_tokens_task() -> int:
    return note_expired_tokens()


@shared_task
def purge_enrolments_task() -> int:
    return purge_enrolments()
