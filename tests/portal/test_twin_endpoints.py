"""/api/v1/devices/{id}/twin and …/twin/desired."""

import json

import pytest

from devices.actors import Actor
from tests.base import MERGE_PATCH, api_client, make_device
from tests.http import assert_problem
from twins.models import TwinChange
from twins.services.twins import change_tags

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(cast):
    return make_device(cast.tenant_a)


def url(device):
    return f"/api/v1/devices/{device.public_id}/twin"


def patch(user, device, patch, content_type=MERGE_PATCH, **headers):
    body = patch if isinstance(patch, str) else json.dumps(patch)
    return api_client(user, **headers).patch(f"{url(device)}/desired", body, content_type=content_type)


def patch_if(user, device, document, etag):
    client = api_client(user)
    return client.patch(
        f"{url(device)}/desired", json.dumps(document), content_type=MERGE_PATCH, headers={"If-Match": etag}
    )


def test_the_twin_is_shown_with_its_tags(cast, device):
    change_tags(device=device, patch={"floor": 2}, actor=Actor.system())
    patch(cast.bob, device, {"a": {"b": 1}})
    body = api_client(cast.vera).get(url(device)).json()
    assert body["deviceId"] == str(device.public_id)
    assert body["tags"]["document"] == {"floor": 2}
    assert (body["desired"]["version"], body["desired"]["document"]) == (1, {"a": {"b": 1}})
    assert list(body["desired"]["metadata"]) == ["/a/b"]
    assert body["reported"] == {"version": 0, "document": {}, "metadata": {}}
    assert body["acknowledged"] == {"version": 0, "outcome": "", "reason": "", "at": None}


def test_a_patch_is_merged_and_noted_with_its_author(cast, device):
    answer = patch(cast.bob, device, {"a": 1, "b": None})
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["document"]) == (1, {"a": 1})
    row = TwinChange.objects.get()
    assert (row.user, row.actor, row.patch) == (cast.bob, "user", {"a": 1})
    assert row.request_id == answer["X-Request-Id"]
    assert patch(cast.bob, device, {"a": 1}).json()["version"] == 1


def test_a_viewer_may_look_and_not_change(cast, device):
    assert api_client(cast.vera).get(f"{url(device)}/desired").status_code == 200
    assert_problem(patch(cast.vera, device, {"a": 1}), 403, "forbidden")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/json-patch+json"])
def test_only_a_merge_patch_is_taken(cast, device, content_type):
    assert_problem(patch(cast.bob, device, {"a": 1}, content_type), 415, "unsupported-media-type")


def test_the_etag_guards_against_lost_changes(cast, device):
    etag = api_client(cast.bob).get(f"{url(device)}/desired")["ETag"]
    answer = patch_if(cast.bob, device, {"a": 1}, etag)
    assert answer.status_code == 200 and answer["ETag"] != etag
    document = assert_problem(patch_if(cast.alice, device, {"a": 2}, etag), 412, "precondition-failed")
    assert document["version"] == 1
    assert patch_if(cast.alice, device, {"a": 2}, f'"x", {answer["ETag"]}').status_code == 200
    assert patch_if(cast.alice, device, {"a": 3}, "*").status_code == 200
    for wrong in ('"1-3"', "nonsense", '""', answer["ETag"].strip('"')):
        assert_problem(patch_if(cast.alice, device, {"a": 4}, wrong), 412, "precondition-failed")


@pytest.mark.parametrize(
    ("document", "status", "code", "pointer"),
    [
        ({"a": {"b.c": 1}}, 422, "invalid-patch", "/a/b.c"),
        ({"a": [None]}, 422, "invalid-patch", "/a/0"),
        ({"a": 2**52}, 422, "invalid-patch", "/a"),
        ({"a": "x" * 4097}, 422, "invalid-patch", "/a"),
        ({f"n{number}": "x" * 4000 for number in range(9)}, 413, "twin-too-large", None),
        ("[]", 400, "malformed-request", None),
        ("null", 400, "malformed-request", None),
        ("{", 400, "malformed-request", None),
        ('{"a":1,"a":2}', 400, "malformed-request", None),
        ('{"a":"\\udc00"}', 400, "malformed-request", None),
        ('{"a":"' + "x" * 65536 + '"}', 413, "payload-too-large", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_breaks_a_rule_is_refused_with_its_place(cast, device, document, status, code, pointer):
    problem = assert_problem(patch(cast.bob, device, document), status, code)
    assert problem.get("pointer") == pointer
    assert not TwinChange.objects.exists()
