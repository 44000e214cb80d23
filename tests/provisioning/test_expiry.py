"""The sweeps, in this process and in a real Celery worker."""

from datetime import timedelta

import pytest

from devices.models import HistoryEntry, Subject
from portal.celery import app
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services import expiry
from provisioning.states import CodeState, EnrolmentState
from provisioning.tasks import expire_codes_task, expire_enrolments_task, purge_codes_task
from tests.base import make_code, make_enrolment, make_statement, make_tenant, unlock_by_code
from tests.live import celery_worker
from tests.times import until


@pytest.mark.django_db
def test_codes_are_marked_when_their_time_is_over_and_not_before(moved_clock):
    make_code()
    moved_clock.advance(seconds=299)
    assert expiry.expire_codes() == 0
    moved_clock.advance(seconds=1)
    assert expiry.expire_codes() == 1
    assert ProvisioningCode.objects.get().state == CodeState.EXPIRED
    row = HistoryEntry.objects.get(subject=Subject.CODE)
    assert (row.from_state, row.to_state, row.actor) == ("issued", "expired", "system")
    assert expiry.expire_codes() == 0


@pytest.mark.django_db
def test_sweeps_work_in_batches(moved_clock, monkeypatch):
    monkeypatch.setattr(expiry, "BATCH", 2)
    for _ in range(5):
        make_code()
    moved_clock.advance(days=2)
    assert expiry.expire_codes() == 5
    assert expiry.expire_enrolments() == 5
    assert set(Enrolment.objects.values_list("state", flat=True)) == {EnrolmentState.EXPIRED}


@pytest.mark.django_db
def test_codes_are_kept_for_a_day_so_that_none_comes_back_within_one(moved_clock):
    make_code()
    moved_clock.advance(hours=24)
    assert expiry.purge_codes() == 0
    moved_clock.advance(seconds=1)
    assert expiry.purge_codes() == 1


@pytest.mark.django_db
def test_a_code_that_is_in_use_is_not_issued_again(monkeypatch):
    from provisioning.services import codes

    first = make_code()
    made = iter([first.code, first.code, "ZZZZZZ"])
    monkeypatch.setattr(codes, "make_code", lambda: next(made))
    assert make_code().code == "ZZZZZZ"


@pytest.mark.django_db
def test_an_enrolment_whose_device_polls_is_not_ended(moved_clock):
    enrolment = make_enrolment()
    moved_clock.advance(hours=23)
    assert expiry.expire_enrolments() == 0
    enrolment.refresh_from_db()
    assert enrolment.state == EnrolmentState.WAITING


def test_everything_beat_starts_exists():
    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks


@pytest.mark.django_db
def test_the_tasks_do_what_the_services_do(moved_clock):
    make_code()
    moved_clock.advance(days=2)
    assert (expire_codes_task(), expire_enrolments_task(), purge_codes_task()) == (1, 1, 1)


def test_a_real_worker_marks_expired_codes(live_db):
    statement = make_statement()
    issued = make_code(statement)
    kept = make_code()
    rows = ProvisioningCode.objects.filter(enrolment__serial_number=statement.serial_number)
    rows.update(expires_at=issued.expires_at - timedelta(seconds=300))
    with celery_worker() as worker:
        expire_codes_task.delay()
        try:
            until(lambda: rows.get().state == CodeState.EXPIRED, "the sweep")
        except AssertionError:
            raise AssertionError(worker.log()) from None
    assert unlock_by_code(kept.code, make_tenant()).pk
