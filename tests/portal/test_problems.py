"""Errors on HTTP: portal.problems, portal.public, portal.body_limit, and who is let in by a token."""

import html
import json

import pytest
from django.db import OperationalError
from django.test import Client

from devices.models import User
from portal.api import devices as views
from portal.public import vocabulary
from tests.base import aboard, api_client, make_token, make_user
from tests.http import assert_problem

DEVICES = "/api/v1/devices"
pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer gwt_nonsense", "Basic YTpi", "Token x", "bearer\tx", "Bearer é"]
)
def test_without_a_valid_token_nobody_comes_in(client, header):
    headers = {} if header is None else {"Authorization": header}
    answer = client.get(DEVICES, headers=headers)
    assert_problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="gangway"'


def test_a_token_is_taken_in_any_spelling_of_bearer(client):
    secret = make_token(make_user())
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert client.get(DEVICES, headers={"Authorization": f"{scheme} {secret}"}).status_code == 200


def test_revoked_expired_and_orphaned_tokens_are_refused(client, moved_clock):
    from datetime import timedelta

    from devices.services.api_tokens import create_api_token, revoke_api_token

    user = make_user()
    revoked, expired, orphaned = (
        create_api_token(user=user, name="x", expires_at=moved_clock.moment + timedelta(days=days))
        for days in (9, 1, 9)
    )
    revoke_api_token(token=revoked[0])
    moved_clock.advance(days=1)
    assert client.get(DEVICES, headers={"Authorization": f"Bearer {orphaned[1]}"}).status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    for _, secret in (revoked, expired, orphaned):
        assert_problem(client.get(DEVICES, headers={"Authorization": f"Bearer {secret}"}), 401, "unauthenticated")


def test_a_session_of_the_console_opens_no_api(client):
    user = make_user()
    client.force_login(user)
    assert_problem(client.get(DEVICES), 401, "unauthenticated")


def test_a_device_secret_is_no_api_token_and_an_api_token_no_device_secret(client, cast):
    secret = aboard(cast.tenant_a).secret
    assert_problem(client.get(DEVICES, headers={"Authorization": f"Bearer {secret}"}), 401, "unauthenticated")


def test_the_request_id_of_a_proxy_is_kept_when_it_is_a_plain_one(client):
    for proposed, kept in (("abcdef-0123", True), ("short", False), ("x" * 65, False), ("a b c d e f", False)):
        answer = client.get(DEVICES, headers={"X-Request-Id": proposed})
        assert (answer["X-Request-Id"] == proposed) is kept
        assert answer.json()["requestId"] == answer["X-Request-Id"]


def test_an_unknown_exception_is_a_500_without_a_trace_or_a_secret(client, monkeypatch, settings):
    def breaks(*_, **__):
        raise RuntimeError("the secret is hidden-7")

    settings.DEBUG = False
    monkeypatch.setattr(views, "device_document", breaks)
    monkeypatch.setattr(views, "read_page", breaks)
    answer = client.get(DEVICES, headers={"Authorization": f"Bearer {make_token(make_user())}"})
    assert_problem(answer, 500, "internal-error")
    assert b"hidden-7" not in answer.content and b"Traceback" not in answer.content


def test_without_the_database_it_says_when_to_come_back(client, monkeypatch):
    def away(*_, **__):
        raise OperationalError("password=hidden-7")

    monkeypatch.setattr(views, "read_page", away)
    answer = client.get(DEVICES, headers={"Authorization": f"Bearer {make_token(make_user())}"})
    assert_problem(answer, 503, "unavailable")
    assert b"hidden-7" not in answer.content


def test_a_host_that_is_not_ours_is_a_400(client):
    answer = client.get(DEVICES, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed-request"
    assert b"evil.example" not in answer.content


def test_the_type_of_a_problem_leads_to_a_page(client):
    for kind in vocabulary():
        answer = client.get(f"/errors/{kind.code}")
        assert answer.status_code == 200, kind.code
        assert kind.title in html.unescape(answer.content.decode())
    assert client.get("/errors/no-such-code").status_code == 404


def test_programs_get_problems_and_people_get_pages(client):
    assert_problem(client.get("/api/v1/nothing"), 404, "not-found")
    page = client.get("/nothing")
    assert (page.status_code, page["Content-Type"].split(";")[0]) == (404, "text/html")


def test_an_answer_nobody_accepts_is_refused(client):
    answer = client.get(
        DEVICES, headers={"Accept": "application/xml", "Authorization": f"Bearer {make_token(make_user())}"}
    )
    assert_problem(answer, 406, "not-acceptable")


def test_the_public_url_is_where_types_are(client, settings):
    settings.PUBLIC_URL = "https://portal.example"
    assert client.get(DEVICES).json()["type"] == "https://portal.example/errors/unauthenticated"


def test_the_process_says_that_it_lives(client):
    assert client.get("/healthz").content == b"ok"


@pytest.mark.parametrize("announced", [b"1048577", b"x", b"-1"])
def test_a_body_too_long_for_any_route_is_refused_before_it_is_read(announced):
    from asgiref.sync import async_to_sync

    from portal.body_limit import BodyLimit

    sent = []

    async def never(*_):
        raise AssertionError

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/x", "headers": [(b"content-length", announced)]}
    async_to_sync(BodyLimit(never))(scope, never, send)
    assert sent[0]["status"] == 413
    headers = dict(sent[0]["headers"])
    document = json.loads(sent[1]["body"])
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"content-length"]) == len(sent[1]["body"])
    assert document["code"] == "payload-too-large"
    assert document["requestId"].encode() == headers[b"x-request-id"]


def test_a_body_that_announces_no_length_is_cut_off_at_the_limit():
    from asgiref.sync import async_to_sync

    from portal.body_limit import LIMIT, BodyLimit

    read = []

    async def application(scope, receive, send):
        while (message := await receive())["type"] != "http.disconnect":
            read.append(len(message["body"]))

    async def receive():
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    async_to_sync(BodyLimit(application))({"type": "http", "path": "/x", "headers": []}, receive, None)
    assert sum(read) <= LIMIT


def test_every_route_of_devices_is_free_of_cookies():
    answer = api_client().get(DEVICES)
    assert not answer.cookies
