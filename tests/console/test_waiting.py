"""The Waiting page: operations, and windows that are open."""

import pytest

from devices.models import Device, Membership, Role
from provisioning.models import Enrolment
from provisioning.services.tokens import revoke_provisioning_token
from provisioning.states import EnrolmentState
from provisioning.token_models import DeviceIdPolicy
from tests.base import collect, make_product, make_statement, no_such_id, unlock
from tests.console.pages import is_whole_page, logged_in, part_of, text_of, url
from tests.provisioning.ways.props import SYSTEM, make_operation, make_token

# What pages show does not depend on the database; what they call is tested on both.
pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def bob(cast):
    return logged_in(cast.bob)


@pytest.fixture
def token(cast):
    return make_token(cast.tenant_a)[0]


def decide(client, verb, *operations, headers=None, **fields):
    keys = [str(operation.public_id) for operation in operations]
    wanted = {verb: keys[0]} if not verb.endswith("-chosen") else {verb: "1", "chosen": keys}
    return client.post(url("waiting"), {**wanted, **fields}, headers=headers)


def state_of(operation):
    return Enrolment.objects.get(pk=operation.pk).state


def test_a_row_shows_what_a_person_needs_to_decide(cast, bob):
    token = make_token(cast.tenant_a, product=make_product(cast.tenant_a, "lamp"))[0]
    operation = make_operation(token, "SN-7", requested_id="lamp-0007", product="LMP", attributes={"firmware": "2.0"})
    shown = text_of(bob.get(url("waiting")))
    code = operation.verification_code
    for word in (f"{code[:3]} {code[3:]}", "Lamp", "LMP", "SN-7", "lamp-0007", "2.0", "192.0.2.7", "line 3"):
        assert word in shown
    assert "Let it in" in shown and "Decline" in shown and "Time to decide" in shown


def test_the_newest_comes_first_and_the_place_has_a_badge(bob, token):
    older, newer = make_operation(token), make_operation(token)
    content = bob.get(url("waiting")).content
    assert content.index(newer.serial_number.encode()) < content.index(older.serial_number.encode())
    badge = bob.get(url("waiting"), headers=part_of("waiting-badge"))
    assert text_of(badge) == "2 need a decision" and not is_whole_page(badge)
    assert "Waiting 2 need a decision" in text_of(bob.get(url("devices")))


def test_an_empty_page_teaches(cast, bob):
    assert "Nobody is waiting" in text_of(bob.get(url("waiting")))
    assert "Make a provisioning token" not in text_of(bob.get(url("waiting")))
    assert "Make a provisioning token" in text_of(logged_in(cast.alice).get(url("waiting")))


def test_a_device_is_let_in_under_a_name(cast, bob, token):
    operation = make_operation(token)
    answer = decide(bob, "approve", operation, **{f"name-{operation.public_id}": "Cold room"})
    assert answer["Location"] == url("waiting")
    assert "1 device was let in" in text_of(bob.get(answer["Location"]))
    device = Device.objects.get()
    assert (device.name, device.tenant, device.claimed_by) == ("Cold room", cast.tenant_a, cast.bob)


def test_the_technician_chooses_the_id_where_the_token_lets_them(cast, bob):
    token = make_token(cast.tenant_a, device_id_policy=DeviceIdPolicy.TECHNICIAN_MUST)[0]
    operation = make_operation(token)
    refused = decide(bob, "approve", operation, **{f"name-{operation.public_id}": "Kept"})
    assert "Choose an id for the device" in text_of(refused) and b'value="Kept"' in refused.content
    assert state_of(operation) == EnrolmentState.WAITING
    decide(bob, "approve", operation, **{f"device-id-{operation.public_id}": "lamp-0001"})
    assert Device.objects.get().external_id == "lamp-0001"


def test_no_id_is_asked_for_where_nobody_may_choose(bob, token):
    operation = make_operation(token)
    assert f"device-id-{operation.public_id}" not in bob.get(url("waiting")).content.decode()
    refused = decide(bob, "approve", operation, **{f"device-id-{operation.public_id}": "lamp-0001"})
    assert "does not let anybody choose" in text_of(refused)


def test_a_device_is_declined(bob, token):
    operation = make_operation(token)
    answer = decide(bob, "decline", operation, headers=part_of("waiting-list"))
    assert not is_whole_page(answer)
    assert "1 device was declined" in answer["HX-Trigger"] and "waiting-changed" in answer["HX-Trigger"]
    assert "Nobody is waiting" in text_of(answer)
    assert state_of(operation) == EnrolmentState.DECLINED


def test_those_that_are_ticked_are_decided_together(bob, token):
    first, second, third = (make_operation(token) for _ in range(3))
    assert "2 devices were let in" in text_of(bob.get(decide(bob, "approve-chosen", first, second)["Location"]))
    assert "1 device was declined" in text_of(bob.get(decide(bob, "decline-chosen", third)["Location"]))
    assert [state_of(one) for one in (first, second, third)] == ["unlocked", "unlocked", "declined"]


def test_what_was_typed_and_ticked_in_other_rows_stays(bob, token):
    first, second = make_operation(token), make_operation(token)
    fields = {f"name-{second.public_id}": "Half typed", "chosen": str(second.public_id)}
    answer = decide(bob, "decline", first, headers=part_of("waiting-list"), **fields)
    assert b'value="Half typed"' in answer.content
    assert state_of(second) == EnrolmentState.WAITING


def test_of_a_batch_what_can_be_done_is_done_and_the_rest_is_said(cast, bob):
    token = make_token(cast.tenant_a, use_limit=1)[0]
    operations = [make_operation(token) for _ in range(2)]
    answer = decide(bob, "approve-chosen", *operations, headers=part_of("waiting-list"))
    assert "1 device was let in. 1 could not be:" in answer["HX-Trigger"]
    assert b'role="alert"' in answer.content
    assert sorted(state_of(one) for one in operations) == ["unlocked", "waiting"]


def test_nothing_ticked_is_said(bob, token):
    make_operation(token)
    assert "Tick the devices" in text_of(bob.post(url("waiting"), {"approve-chosen": "1"}))


def test_what_is_over_cannot_be_decided(bob, token, moved_clock, settings):
    late, decided = make_operation(token), make_operation(token)
    decide(bob, "decline", decided)
    for verb in ("approve", "decline"):
        assert b'role="alert"' in decide(bob, verb, decided).content
    moved_clock.advance(seconds=settings.OPERATION_LIFETIME + 1)
    assert late.serial_number not in text_of(bob.get(url("waiting")))
    assert b'role="alert"' in decide(bob, "approve", late).content
    assert not Device.objects.exists()


def test_operations_of_a_revoked_token_wait_no_more(bob, token):
    make_operation(token)
    revoke_provisioning_token(token=token, actor=SYSTEM)
    assert "Nobody is waiting" in text_of(bob.get(url("waiting")))


@pytest.mark.parametrize(
    "fields", [{}, {"approve": "nonsense"}, {"decline": ""}, {"close": "x"}, {"approve": "K7M2QX"}]
)
def test_a_form_that_names_nothing_is_refused(bob, token, fields):
    make_operation(token)
    assert bob.post(url("waiting"), fields).status_code in (400, 404)
    assert not Device.objects.exists()


def test_outsiders_see_and_decide_nothing(cast, token):
    operation, mine = make_operation(token), make_operation(make_token(cast.tenant_b)[0])
    charlie = logged_in(cast.charlie)
    assert operation.serial_number not in text_of(charlie.get(url("waiting")))
    for verb in ("approve", "decline"):
        assert decide(charlie, verb, operation).status_code == 404
    # One that is not theirs, and none of the batch is decided.
    assert decide(charlie, "approve-chosen", mine, operation).status_code == 404
    assert decide(logged_in(cast.bob), "approve", mine).status_code == 404
    assert (state_of(operation), state_of(mine)) == ("waiting", "waiting")


def test_a_viewer_looks_and_decides_nothing(cast, token):
    operation = make_operation(token)
    vera = logged_in(cast.vera)
    shown = text_of(vera.get(url("waiting")))
    assert operation.serial_number in shown and "Let it in" not in shown and "need a decision" not in shown
    for verb in ("approve", "decline", "approve-chosen"):
        assert decide(vera, verb, operation).status_code == 403
    assert state_of(operation) == EnrolmentState.WAITING


def test_only_those_of_the_tenant_one_works_in_are_listed(cast, bob, token):
    Membership.objects.create(user=cast.bob, tenant=cast.tenant_b, role=Role.TECHNICIAN)
    first, second = make_operation(token), make_operation(make_token(cast.tenant_b)[0])
    both = text_of(bob.get(url("waiting")))
    assert first.serial_number in both and second.serial_number in both
    bob.post(url("switch-tenant"), {"tenant": str(cast.tenant_b.public_id)})
    one = text_of(bob.get(url("waiting")))
    assert first.serial_number not in one and second.serial_number in one


def test_what_an_approval_replaces_is_named(cast, bob, token):
    statement = make_statement("SN-9")
    decide(bob, "approve", make_operation(token, "SN-9"), **{})
    device = Device.objects.get()
    Device.objects.filter(pk=device.pk).update(name="Old lamp")
    Enrolment.objects.update(state=EnrolmentState.SUPERSEDED)
    make_operation(token, statement.serial_number)
    assert "It takes the place of Old lamp" in text_of(bob.get(url("waiting")))


def test_pages_go_on_where_the_last_ended(bob, token, monkeypatch):
    from portal.console.views import waiting

    monkeypatch.setattr(waiting, "_PAGE", 2)
    operations = [make_operation(token) for _ in range(3)]
    first = bob.get(url("waiting")).content.decode()
    following = first.split('rel="next"')[0].rsplit('href="', 1)[-1].split('"')[0]
    assert operations[0].serial_number not in first
    assert operations[0].serial_number in text_of(bob.get(following))
    assert bob.get(url("waiting"), {"after": "%%%"}).status_code == 400


@pytest.fixture
def window(cast):
    device = unlock(make_statement("SN-late"), cast.tenant_a, cast.bob, name="Late one")
    return device.enrolments.get()


def close(client, window):
    return client.post(url("waiting"), {"close": str(window.public_id)}, follow=True)


def test_windows_are_listed_and_closed(bob, window):
    shown = text_of(bob.get(url("waiting")))
    assert "SN-late" in shown and "Late one" in shown and "Close SN-late" in shown
    assert "is not let in by itself any more" in text_of(close(bob, window))
    assert state_of(window) == EnrolmentState.EXPIRED
    assert not Device.objects.present().exists()
    assert "SN-late" not in text_of(bob.get(url("waiting")))


def test_a_window_that_is_over_or_was_used_is_not_listed(bob, window):
    collect(make_statement("SN-late"))
    assert "SN-late" not in text_of(bob.get(url("waiting")))
    assert close(bob, window).status_code == 404


def test_closing_needs_the_tenant_and_the_role(cast, window):
    assert close(logged_in(cast.charlie), window).status_code == 404
    vera = logged_in(cast.vera)
    assert "SN-late" in text_of(vera.get(url("waiting")))
    assert b'name="close"' not in vera.get(url("waiting")).content
    assert close(vera, window).status_code == 403
    assert state_of(window) == EnrolmentState.UNLOCKED
    assert logged_in(cast.bob).post(url("waiting"), {"close": no_such_id()}).status_code == 404
