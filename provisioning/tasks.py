"""Periodic work on enrolments and codes: adapters around provisioning.services.expiry."""

from celery import shared_task

from provisioning.services.expiry import destroy_unconfirmed, expire_codes, expire_enrolments, purge_codes


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
