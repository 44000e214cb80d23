"""The Twin page."""

import json

import pytest

from devices.actors import Actor
from tests.base import make_device
from tests.console.pages import is_whole_page, logged_in, part_of, text_of, url
from twins.models import Twin, TwinChange
from twins.services.twins import change_desired

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(cast):
    return make_device(cast.tenant_a)


@pytest.fixture
def bob(cast):
    return logged_in(cast.bob)


def twin_of(device):
    return Twin.objects.get(device=device)


def post(client, device, *, version=None, headers=None, **fields):
    fields["version"] = str(twin_of(device).desired_version if version is None else version)
    return client.post(url("device-twin", device.public_id), fields, headers=headers)


def save(client, device, pointer, kind, value, **kw):
    return post(client, device, pointer=pointer, kind=kind, value=value, save="1", **kw)


def change(device, patch):
    change_desired(device=device, patch=patch, actor=Actor.system())


@pytest.mark.parametrize(
    ("pointer", "kind", "value", "desired"),
    [
        ("interval", "number", "30", {"interval": 30}),
        ("interval", "number", " 0.5 ", {"interval": 0.5}),
        ("/network/ntp", "text", "30", {"network": {"ntp": "30"}}),
        ("active", "boolean", "false", {"active": False}),
        ("list", "json", '[1, {"a": 2}]', {"list": [1, {"a": 2}]}),
        ("a~1b", "text", "", {"a/b": ""}),
    ],
)
def test_a_leaf_is_saved_as_what_the_person_means(bob, device, pointer, kind, value, desired):
    answer = save(bob, device, pointer, kind, value)
    assert answer["Location"] == url("device-twin", device.public_id)
    assert twin_of(device).desired == desired
    assert "Saved as version 1" in text_of(bob.get(answer["Location"]))


@pytest.mark.parametrize(
    ("pointer", "kind", "value", "sentence"),
    [
        ("interval", "number", "thirty", "It is not JSON"),
        ("interval", "number", "true", "A number is written like"),
        ("interval", "boolean", "1", "Write true or false"),
        ("interval", "json", "null", "use the delete button"),
        ("interval", "json", '{"a": 1, "a": 2}', "names a member twice"),
        ("interval", "json", "NaN", "no JSON"),
        ("interval", "other", "1", "what kind"),
        ("", "text", "x", "Name the setting"),
        ("a//b", "text", "x", "Name the setting"),
        ("a.b", "text", "x", "has no control character"),
        ("/".join("abcdefghijkl"), "text", "x", "Nested deeper"),
        ("a", "text", "x" * 5000, "at most 4096 bytes"),
        ("a", "text", "a\x00b", "U+0000"),
        ("interval", "number", "1" * 5000, "too long"),
    ],
)
def test_what_cannot_be_saved_is_said_and_kept_in_the_form(bob, device, pointer, kind, value, sentence):
    answer = save(bob, device, pointer, kind, value, headers=part_of("editor"))
    assert answer.status_code == 200
    assert not is_whole_page(answer)
    assert sentence in text_of(answer)
    assert f'name="pointer" value="{pointer}"' in answer.content.decode()
    assert twin_of(device).desired_version == 0


def test_the_editor_is_filled_with_the_leaf_to_change(bob, device):
    change(device, {"network": {"ntp": "pool.example"}, "on": True})
    content = bob.get(url("device-twin", device.public_id), {"edit": "/network/ntp"}).content.decode()
    assert 'name="pointer" value="/network/ntp"' in content and 'value="pool.example"' in content
    content = bob.get(url("device-twin", device.public_id), {"edit": "/on"}, headers=part_of("editor")).content.decode()
    assert 'value="boolean" selected' in content and 'value="true"' in content
    answer = save(bob, device, "/network/ntp", "text", "other.example", headers=part_of("editor"))
    assert "twin-changed" in answer["HX-Trigger"] and "Saved as version 2" in answer["HX-Trigger"]
    assert twin_of(device).desired["network"] == {"ntp": "other.example"}


def test_a_leaf_is_deleted(bob, device):
    change(device, {"a": {"b": 1, "c": 2}})
    post(bob, device, pointer="/a/b", kind="number", value="1", delete="1")
    assert twin_of(device).desired == {"a": {"c": 2}}


def test_saving_what_is_so_already_makes_no_version(bob, device):
    change(device, {"a": 1})
    answer = save(bob, device, "a", "number", "1", headers=part_of("editor"))
    assert "Nothing to change" in answer["HX-Trigger"]
    assert twin_of(device).desired_version == 1


def test_a_conflict_loses_nothing_and_can_be_saved_again(bob, device):
    change(device, {"a": 1})
    answer = save(bob, device, "a", "number", "7", version=0, headers=part_of("editor"))
    assert "Somebody else changed it meanwhile: it has version 1 by now" in text_of(answer)
    content = answer.content.decode()
    assert 'name="value" value="7"' in content and 'name="version" value="1"' in content
    assert twin_of(device).desired == {"a": 1}
    save(bob, device, "a", "number", "7")
    assert twin_of(device).desired == {"a": 7}


def test_the_whole_document_is_saved_as_the_patch_that_differs(bob, device):
    change(device, {"a": 1, "b": {"c": 2}, "d": 3})
    document = json.dumps({"a": 1, "b": {"c": 5}, "e": True})
    post(bob, device, document=document, **{"save-document": "1"})
    assert twin_of(device).desired == {"a": 1, "b": {"c": 5}, "e": True}
    assert TwinChange.objects.latest("pk").patch == {"b": {"c": 5}, "d": None, "e": True}


@pytest.mark.parametrize(("document", "sentence"), [("[1]", "one JSON object"), ("{", "It is not JSON")])
def test_a_document_that_is_none_is_kept_and_refused(bob, device, document, sentence):
    answer = post(bob, device, document=document, **{"save-document": "1"}, headers=part_of("editor"))
    assert sentence in text_of(answer)
    assert f">{document}</textarea>" in answer.content.decode()
    assert b"<details" in answer.content and b" open>" in answer.content


def test_a_document_made_from_an_older_version_is_a_conflict(bob, device):
    change(device, {"a": 1})
    change(device, {"b": 2})
    answer = post(bob, device, version=1, document='{"a": 5}', **{"save-document": "1"}, headers=part_of("editor"))
    assert "Somebody else changed it" in text_of(answer)
    assert twin_of(device).desired == {"a": 1, "b": 2}


def test_a_change_is_undone_without_undoing_later_ones(bob, device):
    change(device, {"a": 1, "b": {"c": 1}})
    change(device, {"a": 2, "b": {"c": None}, "n": "new"})
    change(device, {"later": True})
    post(bob, device, undo="2")
    assert twin_of(device).desired == {"a": 1, "b": {"c": 1}, "later": True}
    assert twin_of(device).desired_version == 4
    post(bob, device, undo="1")
    assert twin_of(device).desired == {"later": True}


def test_an_undo_that_cannot_be_leaves_the_editor_alone(bob, device):
    change(device, {"a": 1})
    for fields in ({"undo": "9"}, {"undo": "x"}, {"undo": "1", "version": 0}):
        answer = post(bob, device, headers=part_of("editor"), **fields)
        assert answer["HX-Retarget"] == "#messages"
        assert 400 <= answer.status_code < 500
    assert twin_of(device).desired == {"a": 1}


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 30])
def test_a_form_without_its_version_is_refused(bob, device, version):
    answer = save(bob, device, "a", "text", "b", version=version)
    assert "Load the page again" in text_of(answer)
    assert twin_of(device).desired_version == 0


def test_what_the_device_said_of_the_version_is_shown(bob, device):
    address = url("device-twin", device.public_id)
    assert "Nothing is desired of this device yet" in text_of(bob.get(address))
    change(device, {"a": 1})
    assert "Version 1 not applied yet" in text_of(bob.get(address))
    answered = {"acknowledged_version": 1, "acknowledged_at": device.created_at}
    Twin.objects.filter(device=device).update(**answered, acknowledgement="failed", acknowledgement_reason="too hot")
    assert "Version 1 failed" in text_of(bob.get(address)) and "too hot" in text_of(bob.get(address))
    Twin.objects.filter(device=device).update(acknowledgement="applied")
    assert "Version 1 applied" in text_of(bob.get(address))


def test_both_sections_are_side_by_side_with_what_differs_marked(bob, device):
    change(device, {"a": 1, "b": 2})
    Twin.objects.filter(device=device).update(reported={"a": 1, "b": 3, "only": "reported"})
    content = bob.get(url("device-twin", device.public_id), headers=part_of("twin-state")).content.decode()
    assert content.count("is-behind") == 1
    assert "only" in content and "&quot;reported&quot;" in content


def test_a_viewer_sees_no_editor(cast, device):
    change(device, {"a": 1})
    content = logged_in(cast.vera).get(url("device-twin", device.public_id)).content.decode()
    assert "Change a setting" not in content and "Undo" not in content
