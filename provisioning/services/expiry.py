"""Sweeps. They only note what a comparison with the clock has decided already, and clear away what is old.

Each works in batches, may be repeated at will and run beside itself: every step is a conditional UPDATE.
"""

import contextlib
from datetime import timedelta

from django.db import transaction

from devices.actors import Actor
from devices.errors import InvalidTransition
from portal.lib.clock import now
from provisioning.models import Enrolment, EnrolmentQuerySet, ProvisioningCode
from provisioning.services.enrolments import expire_enrolment
from provisioning.services.moves import move_code
from provisioning.states import CodeState

BATCH = 500
# A code does not come back within this time: its digest stays in the table.
CODE_KEPT = timedelta(days=1)


def expire_codes() -> int:
    """Mark codes whose lifetime is over. Returns how many this call marked."""
    marked = 0
    while True:
        overdue = ProvisioningCode.objects.filter(state=CodeState.ISSUED, expires_at__lte=now())
        codes = list(overdue.select_related("enrolment")[:BATCH])
        with transaction.atomic():
            marked += sum(move_code(code=code, to=CodeState.EXPIRED, actor=Actor.system()) for code in codes)
        if len(codes) < BATCH:
            return marked


def expire_enrolments() -> int:
    """End enrolments whose device fell silent, or did not collect what was there for it; operations nobody decided
    on; windows no device came in. Returns how many.
    """
    return sum(_expire(rows) for rows in Enrolment.objects.stale(now()))


def _expire(stale: EnrolmentQuerySet) -> int:
    ended, last = 0, 0
    while True:
        # By key: one that cannot be ended does not keep the sweep from the others.
        batch = list(stale.filter(pk__gt=last).order_by("pk").select_related("device__tenant")[:BATCH])
        for enrolment in batch:
            with contextlib.suppress(InvalidTransition):
                expire_enrolment(enrolment=enrolment)
                ended += 1
        if len(batch) < BATCH:
            return ended
        last = batch[-1].pk


def destroy_unconfirmed() -> int:
    """Destroy what was sealed for devices that did not confirm in time. Returns for how many.

    Their enrolments stay delivered: support sees that the credentials were collected and never used.
    """
    return Enrolment.objects.filter(sealed_until__lte=now()).update(sealed_hand_over=None, sealed_until=None)


def purge_codes() -> int:
    """Delete rows of codes that may be issued again. Returns how many."""
    deleted, _ = ProvisioningCode.objects.filter(issued_at__lt=now() - CODE_KEPT).delete()
    return deleted
