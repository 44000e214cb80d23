"""The Claim page."""

import pytest

from devices.models import Device, Membership, Product, Role
from provisioning.budget import FREE_WRONG
from provisioning.models import Enrolment
from provisioning.states import EnrolmentState
from tests.base import (
    aboard,
    collect,
    enrolment_of,
    make_code,
    make_enrolment,
    make_poll_token,
    make_product,
    make_statement,
    poll,
    unlock,
)
from tests.console.pages import HTMX, is_whole_page, logged_in, part_of, text_of, url
from twins.models import Acknowledgement, Twin

# What pages show does not depend on the database; what they call is tested on both.
pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def bob(cast):
    return logged_in(cast.bob)


def look_up(client, entry, **kw):
    return client.post(url("claim"), {"entry": entry, "find": ""}, **kw)


def form_of(statement, entry, **kw):
    """The card's form as it was shown."""
    return {"entry": entry, "enrolment": str(enrolment_of(statement).public_id), **kw}


def let_in(client, statement, entry, **kw):
    return client.post(url("claim"), form_of(statement, entry, claim="1", **kw))


def test_a_code_shows_what_the_device_says_and_unlocks_nothing(bob):
    statement = make_statement(product="TH-200", attributes={"firmware": "1.4.2"})
    code = make_code(statement).code
    answer = look_up(bob, f"{code[:3].lower()} - {code[3:]}")
    shown = text_of(answer)
    for word in ("TH-200", statement.serial_number, "firmware", "1.4.2", "192.0.2.7", f"{code[:3]} {code[3:]}"):
        assert word in shown
    assert "Let it in" in shown and "Not mine" in shown
    assert "Code lives for" in shown
    assert not Device.objects.exists()
    assert enrolment_of(statement).state == EnrolmentState.WAITING


def test_a_serial_number_finds_the_device_in_any_spelling(bob):
    enrolment = make_enrolment()
    answer = look_up(bob, f"  {enrolment.serial_number.lower().replace('-', ' ')} ")
    assert enrolment.serial_number in text_of(answer)
    assert "Code lives for" not in text_of(answer)


def test_the_address_in_a_qr_code_shows_the_code_for_comparison_and_unlocks_nothing(bob):
    code = make_code().code
    answer = bob.get(url("claim"), {"code": code})
    assert f"Compare: its screen shows {code[:3]} {code[3:]}" in text_of(answer)
    assert not Device.objects.exists()


def test_letting_in_by_code_leads_to_the_story(cast, bob):
    statement = make_statement()
    code = make_code(statement).code
    answer = let_in(bob, statement, code, name="Cold room")
    device = Device.objects.get()
    assert answer["Location"] == url("claimed", device.public_id)
    assert (device.name, device.tenant, device.claimed_by) == ("Cold room", cast.tenant_a, cast.bob)
    assert "Let in" in text_of(bob.get(answer["Location"]))


def test_letting_in_by_serial_number_without_a_page_change(bob):
    statement = make_statement()
    poll(statement)
    fields = form_of(statement, statement.serial_number, claim="1")
    answer = bob.post(url("claim"), fields, headers=part_of("answer"))
    device = Device.objects.get()
    assert not is_whole_page(answer)
    assert answer["HX-Replace-Url"] == url("claimed", device.public_id)
    assert "Credentials collected" in text_of(answer)


@pytest.mark.parametrize("how", ["unknown", "used", "expired"])
def test_a_wrong_code_gets_one_sentence_whatever_is_wrong(cast, bob, moved_clock, how):
    statement = make_statement()
    code = make_code(statement).code
    if how == "unknown":
        code = "222222" if code != "222222" else "333333"
    elif how == "used":
        let_in(bob, statement, code)
    else:
        moved_clock.advance(seconds=301)
    answer = look_up(bob, code, headers=part_of("answer"))
    assert answer.status_code == 200
    assert text_of(answer) == "This code cannot be used. Look at the device: it may show a new one by now."


def test_a_serial_number_that_does_not_wait_says_what_to_do(bob):
    assert "No device with this serial number is waiting" in text_of(look_up(bob, "nothing-like-it"))


@pytest.mark.parametrize("entry", ["", "   ", "x" * 65, "Ω-serial", "a\x00b"])
def test_what_can_be_neither_is_said_kindly(bob, entry):
    answer = look_up(bob, entry)
    assert answer.status_code == 200
    assert b'role="alert"' in answer.content


def test_too_many_wrong_entries_have_to_wait(cast, bob):
    for _ in range(FREE_WRONG):
        look_up(bob, "222222")
    code = make_code().code
    assert "Too many wrong entries" in text_of(look_up(bob, code))
    assert "Too many wrong entries" in text_of(bob.get(url("claim"), {"code": code}))
    assert "Let it in" in text_of(look_up(logged_in(cast.alice), code))


def test_right_entries_are_not_counted(bob):
    code = make_code().code
    for _ in range(FREE_WRONG + 2):
        assert "Let it in" in text_of(look_up(bob, code))


def test_where_a_code_is_not_enough_its_serial_number_is_asked_for_and_kept(bob, guessed):
    statement = make_statement(poll_token=make_poll_token())
    code = make_code(statement).code
    serial = statement.serial_number
    asked = look_up(bob, code, headers=part_of("answer"))
    assert "Serial number of the device" in text_of(asked) and "Let it in" not in text_of(asked)
    assert f'name="entry" value="{code}"' in asked.content.decode()

    shown = bob.post(url("claim"), {"entry": code, "serial": serial, "find": "1"}, headers=part_of("answer"))
    assert f'type="hidden" name="serial" value="{serial}"' in shown.content.decode()
    digits = let_in(bob, statement, code, serial=serial, name="Lobby")
    assert "Two digits the device shows now" in text_of(digits)
    assert f'name="serial" value="{serial}"' in digits.content.decode()
    let_in(bob, statement, code, serial=serial, match_number=poll(statement).match_number)
    assert enrolment_of(statement).state == EnrolmentState.UNLOCKED


def test_letting_in_or_declining_by_a_code_alone_asks_for_the_serial_number_too(bob, guessed):
    statement = make_statement()
    code = make_code(statement).code
    for verb in ("claim", "decline"):
        answer = bob.post(url("claim"), form_of(statement, code, **{verb: "1"}))
        assert "Serial number of the device" in text_of(answer)
    assert enrolment_of(statement).state == EnrolmentState.WAITING


def test_the_code_of_another_serial_number_is_wrong_and_says_no_more(bob):
    code = make_code().code
    answer = bob.post(url("claim"), {"entry": code, "serial": "SN-OTHER", "find": "1"}, headers=part_of("answer"))
    assert "This code cannot be used" in text_of(answer)
    assert 'value="SN-OTHER"' in answer.content.decode()


def open_window(client, serial, **kw):
    return client.post(url("claim"), {"entry": serial, "open-window": "1", **kw})


def test_a_serial_number_nobody_polls_with_may_be_let_in_before_it_comes(cast, bob):
    answer = look_up(bob, "SN-unseen-1", headers=part_of("answer"))
    assert "Let it in when it first comes" in text_of(answer)
    assert "first device that polls with this serial number" in text_of(answer)
    # The first button of the form is what Enter presses.
    assert answer.content.index(b"disabled hidden") < answer.content.index(b'name="open-window"')
    assert not Device.objects.exists()

    answer = open_window(bob, "SN-unseen-1", name="Roof")
    device = Device.objects.get()
    assert answer["Location"] == url("claimed", device.public_id)
    assert (device.name, device.tenant, device.claimed_by) == ("Roof", cast.tenant_a, cast.bob)
    assert "Waiting for its first poll until" in text_of(bob.get(answer["Location"]))
    collect(make_statement("SN-unseen-1"))
    shown = text_of(bob.get(answer["Location"]))
    assert "Waiting for its first poll" not in shown and "Credentials collected" in shown


def test_the_window_is_as_long_as_the_product_says(cast, bob):
    lamp = make_product(cast.tenant_a, "lamp")
    Product.objects.filter(pk=lamp.pk).update(activation_window=3600)
    shown = text_of(look_up(bob, "SN-unseen-2"))
    assert "Lamp · may come for 1 h" in shown and "No product · may come for 24 h" in shown
    open_window(bob, "SN-unseen-2", product=str(lamp.public_id))
    window = Enrolment.objects.get()
    assert (window.window_until - window.created_at).total_seconds() == 3600


def test_a_device_that_began_to_wait_meanwhile_is_compared_first(bob):
    statement = make_statement()
    poll(statement)
    answer = open_window(bob, statement.serial_number)
    assert "waits by now" in text_of(answer) and "Not mine" in text_of(answer)
    assert not Device.objects.exists()


def test_a_serial_number_let_in_elsewhere_is_not_told_from_others(cast, bob):
    statement = make_statement()
    poll(statement)
    unlock(statement, cast.tenant_b)
    answer = open_window(bob, statement.serial_number)
    assert "cannot be let in before its device comes" in text_of(answer)
    assert cast.tenant_b.name not in text_of(answer)


@pytest.mark.parametrize("entry", ["", "222222", "x" * 65, "a\x00b", "Ω"])
def test_no_window_is_opened_for_what_is_no_serial_number(bob, entry):
    answer = open_window(bob, entry)
    assert answer.status_code == 200 and b'role="alert"' in answer.content
    assert not Device.objects.exists()


def test_a_contested_serial_number_asks_for_the_code(bob):
    statement = make_statement()
    rival = make_statement(statement.serial_number, poll_token=make_poll_token())
    poll(statement)
    code = make_code(rival).code
    answer = look_up(bob, statement.serial_number)
    assert "Two devices claim this serial number" in text_of(answer)
    assert "Let it in" not in text_of(answer)

    refused = let_in(bob, statement, statement.serial_number)
    assert refused.status_code == 200
    assert not Device.objects.exists()

    by_code = look_up(bob, code)
    assert "Another device claims the same serial number" in text_of(by_code)
    asked = let_in(bob, rival, code, name="Lobby")
    assert "Two digits the device shows now" in text_of(asked)
    assert b'value="Lobby"' in asked.content
    let_in(bob, rival, code, match_number=poll(rival).match_number)
    assert enrolment_of(rival).state == EnrolmentState.UNLOCKED


def test_one_wrong_match_number_closes_the_enrolment(bob):
    statement = make_statement(poll_token=make_poll_token())
    poll(make_statement(statement.serial_number))
    code = make_code(statement).code
    let_in(bob, statement, code)
    wrong = f"{(int(poll(statement).match_number) + 1) % 100:02d}"
    answer = let_in(bob, statement, code, match_number=wrong)
    assert "The enrolment was closed" in text_of(answer)
    assert "Let it in" not in text_of(answer)
    assert enrolment_of(statement).state == EnrolmentState.DECLINED


def test_only_the_device_that_was_shown_is_let_in(bob):
    statement = make_statement()
    code = make_code(statement).code
    other = make_enrolment()
    answer = bob.post(url("claim"), {"entry": code, "enrolment": str(other.public_id), "claim": "1"})
    assert "Another device answers to this by now" in text_of(answer)
    assert not Device.objects.exists()


def test_an_enrolment_cannot_be_reached_by_its_id(bob):
    enrolment = make_enrolment()
    assert bob.get(url("claimed", enrolment.public_id)).status_code == 404
    answer = bob.post(url("claim"), {"entry": "", "enrolment": str(enrolment.public_id), "claim": "1"})
    assert enrolment.serial_number not in text_of(answer)


def test_not_mine_declines(bob):
    statement = make_statement()
    code = make_code(statement).code
    answer = bob.post(url("claim"), form_of(statement, code, decline="1"))
    assert "Declined" in text_of(answer) and "Next device" in text_of(answer)
    assert enrolment_of(statement).state == EnrolmentState.DECLINED


def test_declining_what_somebody_let_in_meanwhile_is_said(cast, bob):
    statement = make_statement()
    poll(statement)
    fields = form_of(statement, statement.serial_number, decline="1")
    unlock(statement, cast.tenant_a)
    answer = bob.post(url("claim"), fields)
    assert answer.status_code == 200
    assert b'role="alert"' in answer.content
    assert enrolment_of(statement).state == EnrolmentState.UNLOCKED


def test_a_member_of_several_tenants_has_to_choose_one(cast, bob):
    Membership.objects.create(user=cast.bob, tenant=cast.tenant_b, role=Role.TECHNICIAN)
    statement = make_statement()
    code = make_code(statement).code
    assert "Choose a tenant" in text_of(look_up(bob, code))
    answer = let_in(bob, statement, code, name="Kept name")
    assert "say which one" in text_of(answer)
    assert b'value="Kept name"' in answer.content
    let_in(bob, statement, code, tenant=str(cast.tenant_b.public_id))
    assert Device.objects.get().tenant == cast.tenant_b


def test_the_tenant_the_user_works_in_is_chosen_already(cast, bob):
    Membership.objects.create(user=cast.bob, tenant=cast.tenant_b, role=Role.TECHNICIAN)
    bob.post(url("switch-tenant"), {"tenant": str(cast.tenant_b.public_id)})
    answer = look_up(bob, make_code().code)
    assert f'value="{cast.tenant_b.public_id}" selected'.encode() in answer.content
    assert "Choose a tenant" not in text_of(answer)


def test_a_tenant_in_which_the_user_may_only_look_is_not_offered(cast, bob):
    Membership.objects.create(user=cast.bob, tenant=cast.tenant_b, role=Role.VIEWER)
    statement = make_statement()
    code = make_code(statement).code
    answer = let_in(bob, statement, code, tenant=str(cast.tenant_b.public_id))
    assert "This needs the role technician" in text_of(answer)
    assert not Device.objects.exists()


def test_the_product_is_one_of_the_tenants(cast, bob):
    lamp, foreign = make_product(cast.tenant_a, "lamp"), make_product(cast.tenant_b, "pump")
    statement = make_statement(product="lamp")
    code = make_code(statement).code
    shown = look_up(bob, code)
    assert f'value="{lamp.public_id}" selected'.encode() in shown.content
    assert "Pump" not in text_of(shown)
    assert "has no such product" in text_of(let_in(bob, statement, code, product=str(foreign.public_id)))
    let_in(bob, statement, code, product=str(lamp.public_id))
    assert Device.objects.get().product == lamp


def test_a_serial_number_the_tenant_has_already_is_said_on_the_card(cast, bob):
    statement = make_statement()
    Device.objects.create(tenant=cast.tenant_a, serial_number="S", serial_key=enrolled_key(statement), name="Older")
    answer = let_in(bob, statement, statement.serial_number)
    assert "already has a device with the serial number" in text_of(answer)
    assert "Let it in" in text_of(answer)


def enrolled_key(statement):
    poll(statement)
    return enrolment_of(statement).serial_key


def test_the_story_walks_with_the_device(cast, bob):
    statement = make_statement()
    poll(statement)
    device = unlock(statement, cast.tenant_a)
    assert states(bob, device) == ["done", "now", "later", "later"]
    collect(statement)
    assert states(bob, device) == ["done", "done", "now", "later"]
    connect(device)
    assert states(bob, device) == ["done", "done", "done", "done"]
    Twin.objects.filter(device=device).update(desired_version=2, desired={"a": 1})
    assert states(bob, device) == ["done", "done", "done", "now"]
    acknowledge(device, 2, Acknowledgement.FAILED, reason="no such module")
    assert states(bob, device) == ["done", "done", "done", "failed"]
    assert "no such module" in text_of(bob.get(url("claimed", device.public_id)))
    acknowledge(device, 2, Acknowledgement.APPLIED)
    assert states(bob, device) == ["done", "done", "done", "done"]


def states(client, device):
    content = client.get(url("claimed", device.public_id), headers=part_of("answer")).content.decode()
    return [piece.split('"')[0] for piece in content.split('class="step step-')[1:]]


def connect(device):
    Device.objects.filter(pk=device.pk).update(activated_at=device.created_at)


def acknowledge(device, version, outcome, reason=""):
    Twin.objects.filter(device=device).update(
        acknowledged_version=version,
        acknowledgement=outcome,
        acknowledgement_reason=reason,
        acknowledged_at=device.created_at,
    )


def test_the_story_stops_asking_when_it_is_over(cast, bob):
    device = aboard(cast.tenant_a).device
    assert b"hx-trigger" in bob.get(url("claimed", device.public_id), headers=part_of("answer")).content
    connect(device)
    assert b"hx-trigger" not in bob.get(url("claimed", device.public_id), headers=part_of("answer")).content


def test_the_story_of_a_device_that_is_gone_says_so_in_place(cast, bob):
    from tests.base import make_device

    device = make_device(cast.tenant_a, state="retired")
    answer = bob.get(url("claimed", device.public_id), headers=HTMX)
    assert answer.status_code == 200
    assert "no longer there" in text_of(answer)
    assert bob.get(url("claimed", device.public_id)).status_code == 404


def test_the_lookup_is_a_part_of_the_page_for_htmx_and_the_whole_one_without(bob):
    code = make_code().code
    part, whole = look_up(bob, code, headers=part_of("answer")), look_up(bob, code)
    assert not is_whole_page(part) and is_whole_page(whole)
    assert Enrolment.objects.get().serial_number in text_of(part)
