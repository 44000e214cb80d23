"""twins.services.twins."""

from functools import partial

import pytest

from devices.actors import Actor
from devices.errors import NotFound, PreconditionFailed, SessionReplaced
from devices.models import Device
from devices.services.sessions import end_sessions
from tests.base import make_device
from tests.racing import race
from twins.errors import InvalidFrame, InvalidPatch, TwinTooLarge
from twins.merge import apply_patch
from twins.models import Acknowledgement, Section, TwinChange
from twins.services.twins import change_desired, change_tags, get_twin, record_acknowledgement, record_reported


def report(device, patch, epoch=None):
    return record_reported(
        device_id=device.pk,
        public_id=device.public_id,
        tenant_id=device.tenant.public_id,
        epoch=Device.objects.get(pk=device.pk).session_epoch if epoch is None else epoch,
        patch=patch,
        actor=Actor.device(),
    )


def desire(device, patch, **kw):
    return change_desired(device=device, patch=patch, actor=Actor.system(), **kw)


def acknowledge(device, version, outcome=Acknowledgement.APPLIED, reason="", epoch=0):
    record_acknowledgement(
        device_id=device.pk,
        public_id=device.public_id,
        tenant_id=device.tenant.public_id,
        epoch=epoch,
        version=version,
        outcome=outcome,
        reason=reason,
    )


@pytest.fixture
def device(cast):
    return make_device(cast.tenant_a)


CHANGES = {
    Section.DESIRED: desire,
    Section.REPORTED: report,
    Section.TAGS: lambda device, patch: change_tags(device=device, patch=patch, actor=Actor.system()),
}


@pytest.mark.parametrize("section", Section)
def test_each_real_change_makes_a_version_and_a_history_row(device, section):
    change = CHANGES[section]
    assert change(device, {"a": 1, "b": {"c": 2}}).version == 1
    assert change(device, {"b": {"c": None}, "d": []}).version == 2
    twin = get_twin(device_id=device.pk)
    assert getattr(twin, section) == {"a": 1, "b": {}, "d": []}
    rows = list(
        TwinChange.objects.filter(twin=twin, section=section).order_by("version").values_list("version", "patch")
    )
    assert rows == [(1, {"a": 1, "b": {"c": 2}}), (2, {"b": {"c": None}, "d": []})]


@pytest.mark.parametrize("section", Section)
@pytest.mark.parametrize(
    "patch", [{}, {"a": 1}, {"a": 1.0}, {"x": None}, {"b": {}}, {"b": {"x": None}}, {"b": {"c": 2}}]
)
def test_a_patch_that_changes_nothing_makes_no_version(device, section, patch):
    CHANGES[section](device, {"a": 1, "b": {"c": 2}})
    outcome = CHANGES[section](device, patch)
    assert (outcome.version, outcome.patch) == (1, {})
    assert TwinChange.objects.filter(section=section).count() == 1


def test_the_history_replays_to_the_document(device):
    for patch in ({"a": {"b": 1}}, {"a": "x"}, {"a": {"c": [1, {"d": 2}]}}, {"e": 0.5, "a": None}, {"e": True}):
        desire(device, patch)
    document = {}
    for patch in TwinChange.objects.filter(section=Section.DESIRED).order_by("version").values_list("patch", flat=True):
        document = apply_patch(document, patch)
    assert document == get_twin(device_id=device.pk).desired


def test_metadata_keep_when_each_leaf_changed_last(device, moved_clock):
    desire(device, {"a": 1, "b": {"c": 1, "d": 1}})
    first = get_twin(device_id=device.pk).desired_metadata
    moved_clock.advance(seconds=60)
    desire(device, {"a": 1, "b": {"c": 2, "d": None}})
    second = get_twin(device_id=device.pk).desired_metadata
    assert set(first) == {"/a", "/b/c", "/b/d"}
    assert set(second) == {"/a", "/b/c"}
    assert second["/a"] == first["/a"] and second["/b/c"] > first["/b/c"]


def test_a_change_from_an_older_version_is_refused_whole(device):
    desire(device, {"a": 1})
    with pytest.raises(PreconditionFailed) as refusal:
        desire(device, {"a": 2}, if_version=0)
    assert refusal.value.data["version"] == 1
    assert desire(device, {"a": 2}, if_version=1).version == 2


def test_what_breaks_a_limit_changes_nothing(device):
    desire(device, {"a": 1})
    with pytest.raises(InvalidPatch):
        desire(device, {"a": 2, "b": [None]})
    with pytest.raises(TwinTooLarge):
        desire(device, {f"n{number}": "x" * 4096 for number in range(9)})
    twin = get_twin(device_id=device.pk)
    assert (twin.desired, twin.desired_version) == ({"a": 1}, 1)


def test_the_same_number_is_no_change_however_it_is_stored(device):
    for value in (2.0**51, 1e5, 1e-7, -0.0, 0.1, 5e-324):
        version = desire(device, {"n": value}).version
        assert desire(device, {"n": value}).version == version, value


def test_a_write_from_a_replaced_connection_is_refused(device):
    report(device, {"a": 1})
    Device.objects.filter(pk=device.pk).update(session_epoch=5)
    for epoch in (0, 4, 6):
        with pytest.raises(SessionReplaced):
            report(device, {"a": 2}, epoch=epoch)
        with pytest.raises(SessionReplaced):
            acknowledge(device, 0, epoch=epoch)
    assert report(device, {"a": 2}, epoch=5).version == 2


def test_a_deleted_devices_write_is_refused(cast):
    device = make_device(cast.tenant_a, state="retired")
    with pytest.raises(SessionReplaced):
        report(device, {"a": 1})


def test_a_device_without_a_twin_is_not_found(cast):
    with pytest.raises(NotFound):
        get_twin(device_id=0)


def test_an_acknowledgement_is_kept_and_never_goes_back(device):
    desire(device, {"a": 1})
    desire(device, {"a": 2})
    acknowledge(device, 2, Acknowledgement.FAILED, "no room" * 200)
    twin = get_twin(device_id=device.pk)
    assert (twin.acknowledged_version, twin.acknowledgement) == (2, "failed")
    assert len(twin.acknowledgement_reason) == 512
    acknowledge(device, 1)
    assert get_twin(device_id=device.pk).acknowledged_version == 2
    acknowledge(device, 2)
    assert get_twin(device_id=device.pk).acknowledgement == "applied"
    with pytest.raises(InvalidFrame):
        acknowledge(device, 3)


def test_a_new_twin_has_a_greater_generation(cast, moved_clock):
    first = get_twin(device_id=make_device(cast.tenant_a).pk)
    moved_clock.advance(milliseconds=1)
    assert get_twin(device_id=make_device(cast.tenant_a).pk).generation > first.generation


@pytest.mark.parametrize("section", [Section.DESIRED, Section.REPORTED])
def test_of_many_editors_at_once_nobodys_change_is_lost(live_db, section):
    device = make_device()
    editors, patches = 6, 8

    def edit(number):
        for step in range(patches):
            CHANGES[section](device, {f"editor{number}": {f"step{step}": step}, "last": f"{number}-{step}"})

    outcomes = race(partial(edit, number) for number in range(editors))
    assert outcomes == [None] * editors
    twin = get_twin(device_id=device.pk)
    assert getattr(twin, f"{section}_version") == editors * patches
    document = getattr(twin, section)
    assert all(document[f"editor{number}"] == {f"step{s}": s for s in range(patches)} for number in range(editors))
    versions = (
        TwinChange.objects.filter(twin=twin, section=section).order_by("version").values_list("version", flat=True)
    )
    assert list(versions) == list(range(1, editors * patches + 1))


def test_a_write_and_the_end_of_its_session_are_put_in_order(live_db):
    device = make_device()
    outcomes = race(
        [partial(report, device, {"a": n}, 0) for n in range(6)]
        + [partial(end_sessions, device=device, reason="revoked")]
    )
    written = [outcome for outcome in outcomes[:6] if not isinstance(outcome, Exception)]
    assert all(isinstance(outcome, SessionReplaced) for outcome in outcomes[:6] if isinstance(outcome, Exception))
    assert get_twin(device_id=device.pk).reported_version == len(written)
