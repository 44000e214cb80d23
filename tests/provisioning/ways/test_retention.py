"""What ended long ago is deleted, and nothing else."""

import pytest

from devices.models import Device, HistoryEntry
from devices.services import retention
from devices.services.retention import purge_history
from devices.tasks import purge_history_task
from provisioning.models import Enrolment, ProvisioningCode
from provisioning.services.retention import purge_enrolments
from provisioning.tasks import note_expired_tokens_task, purge_enrolments_task
from tests.base import make_code, make_device, make_enrolment, make_statement
from tests.provisioning.ways.props import fresh

pytestmark = pytest.mark.django_db


def test_ended_enrolments_go_after_their_time(moved_clock, settings):
    aboard = make_device()
    retired = make_device(state="retired")
    make_enrolment()
    moved_clock.advance(days=settings.ENROLMENT_RETENTION_DAYS, seconds=-1)
    assert purge_enrolments() == 0
    moved_clock.advance(seconds=2)
    assert (purge_enrolments(), purge_enrolments()) == (1, 0)
    assert Enrolment.objects.get(device=aboard).state == "delivered"
    assert not Enrolment.objects.filter(device=retired).exists()
    assert fresh(retired).state == "retired"
    assert Enrolment.objects.filter(state="waiting").count() == 1


def test_their_codes_go_with_them(moved_clock, settings):
    from provisioning.services.expiry import expire_enrolments

    make_code(make_statement())
    moved_clock.advance(days=2)
    expire_enrolments()
    moved_clock.advance(days=settings.ENROLMENT_RETENTION_DAYS + 1)
    assert purge_enrolments() == 1
    assert not ProvisioningCode.objects.exists()


def test_history_goes_after_its_time_in_batches(moved_clock, settings, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    make_device()
    rows = HistoryEntry.objects.count()
    assert rows > 4
    moved_clock.advance(days=settings.HISTORY_RETENTION_DAYS, seconds=1)
    make_enrolment()
    assert (purge_history(), purge_history()) == (rows, 0)
    assert HistoryEntry.objects.count() == 1
    assert Device.objects.count() == 1


def test_nothing_goes_when_the_days_are_none(moved_clock, settings):
    settings.ENROLMENT_RETENTION_DAYS = settings.HISTORY_RETENTION_DAYS = 0
    make_device(state="retired")
    moved_clock.advance(days=10_000)
    assert (purge_enrolments(), purge_history()) == (0, 0)


def test_the_tasks_are_in_the_schedule(settings):
    names = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    for task in (note_expired_tokens_task, purge_enrolments_task, purge_history_task):
        assert task.name in names
        assert task() == 0
