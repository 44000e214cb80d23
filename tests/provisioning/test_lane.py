"""Lane and view give the same answers: one table of cases, each run through both."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.core.asgi import get_asgi_application

from provisioning.lane import pace
from provisioning.lane.held import HeldPolls, wait_preference
from provisioning.lane.pending import PendingLane
from provisioning.models import Enrolment
from provisioning.services.enrolments import expire_enrolment
from tests.base import (
    collect,
    confirm,
    decline,
    enrolment_of,
    make_code,
    make_poll_token,
    make_statement,
    make_tenant,
    make_user,
    poll,
    unlock,
)
from tests.provisioning.sealed import DeviceSide

SAME_HEADERS = (
    "content-type",
    "retry-after",
    "cache-control",
    "preference-applied",
    "content-length",
    "www-authenticate",
)
LANE_ANSWERS = 202


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Request:
    """What is asked, and whether the lane is meant to answer it by itself."""

    body: object
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    by_lane: bool = False


CASES: dict[str, Callable[[], Request]] = {}


def case(function):
    CASES[function.__name__.replace("_", " ")] = function
    return function


def waiting(**kw):
    statement = make_statement(**kw)
    poll(statement)
    # As from the network the test asks from, so that there is nothing to note.
    Enrolment.objects.filter(pk=enrolment_of(statement).pk).update(network="127.0.0.1")
    return statement


def let_in(kind=None):
    side = DeviceSide(kind) if kind else None
    statement = side.statement if side else make_statement()
    poll(statement)
    unlock(statement, make_tenant())
    return side or statement


@case
def a_plain_poller_that_waits():
    return Request({"serialNumber": waiting().serial_number}, by_lane=True)


@case
def a_poller_with_a_token_that_waits():
    statement = waiting(poll_token=make_poll_token())
    return Request({"serialNumber": statement.serial_number, "pollToken": statement.poller.poll_token}, by_lane=True)


@case
def a_poller_with_a_key_that_waits():
    side = DeviceSide("key")
    poll(side.statement)
    Enrolment.objects.filter(pk=enrolment_of(side.statement).pk).update(network="127.0.0.1")
    return Request(side.body, by_lane=True)


@case
def another_way_to_write_the_serial_number():
    return Request({"serialNumber": f" {waiting().serial_number.lower().replace('-', ' - ')} "}, by_lane=True)


@case
def a_content_type_with_a_charset_and_unknown_members():
    body = {"serialNumber": waiting().serial_number, "product": "lamp", "attributes": {"fw": "1"}, "more": [1]}
    return Request(body, content_type="application/json; charset=utf-8", by_lane=True)


@case
def a_held_poll():
    return Request({"serialNumber": waiting().serial_number}, headers=(("prefer", "wait=1"),), by_lane=True)


@case
def a_device_that_was_never_seen():
    return Request({"serialNumber": make_statement().serial_number})


@case
def a_device_from_another_network():
    statement = make_statement()
    poll(statement)
    return Request({"serialNumber": statement.serial_number})


@case
def a_device_that_is_told_its_match_number():
    statement = waiting()
    Enrolment.objects.filter(pk=enrolment_of(statement).pk).update(match_number="42")
    return Request({"serialNumber": statement.serial_number})


@case
def a_plain_poller_that_was_let_in():
    return Request({"serialNumber": let_in().serial_number})


@case
def a_token_that_was_let_in():
    return Request(let_in("token").body)


@case
def a_key_that_was_let_in():
    return Request(let_in("key").body)


@case
def somebody_else_after_the_unlock():
    return Request({"serialNumber": let_in("key").statement.serial_number})


@case
def a_second_poll_after_the_hand_over():
    statement = let_in()
    collect(statement)
    return Request({"serialNumber": statement.serial_number})


@case
def a_poll_after_the_confirmation():
    side = let_in("token")
    poll(side.statement)
    confirm(side.statement)
    return Request(side.body)


@case
def a_declined_device():
    statement = waiting()
    decline(statement, make_user())
    return Request({"serialNumber": statement.serial_number})


@case
def an_expired_enrolment():
    statement = waiting()
    expire_enrolment(enrolment=enrolment_of(statement))
    return Request({"serialNumber": statement.serial_number})


@case
def a_code():
    return Request({"provisioningCode": make_code().code})


@case
def an_unknown_code():
    return Request({"provisioningCode": "222222"})


@case
def serial_number_and_code():
    return Request({"serialNumber": waiting().serial_number, "provisioningCode": "222222"})


@case
def neither():
    return Request({})


@case
def a_serial_number_that_is_none():
    return Request({"serialNumber": "\u00e9"})


@case
def a_number_for_a_serial_number():
    return Request({"serialNumber": 12345})


@case
def null_for_a_token():
    return Request({"serialNumber": waiting().serial_number, "pollToken": None})


@case
def a_short_token():
    return Request({"serialNumber": waiting().serial_number, "pollToken": "short"})


@case
def a_key_that_is_none():
    return Request({"serialNumber": waiting().serial_number, "publicKey": "short"})


@case
def no_json():
    return Request(b"{")


@case
def an_array():
    return Request([])


@case
def a_member_twice():
    return Request(b'{"serialNumber":"A","serialNumber":"B"}')


@case
def form_data():
    return Request(b"serialNumber=A", content_type="application/x-www-form-urlencoded")


@case
def no_content_type():
    return Request({"serialNumber": waiting().serial_number}, content_type="")


@case
def bytes_that_are_no_text():
    return Request(b'{"serialNumber":"\xff"}')


@case
def far_too_long():
    return Request({"serialNumber": "A", "padding": "x" * 70000})


def ask(application, request, path="/api/v1/provisioning/poll", patience=0):
    """One request to an ASGI application."""
    body = request.body if isinstance(request.body, bytes) else json.dumps(request.body).encode()
    headers = [(b"host", b"testserver"), (b"content-length", str(len(body)).encode())]
    if request.content_type:
        headers.append((b"content-type", request.content_type.encode()))
    headers += [(name.encode(), value.encode()) for name, value in request.headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 5000),
        "server": ("testserver", 80),
    }
    return asyncio.run(_ask(application, scope, body, patience))


async def _ask(application, scope, body, patience):
    sent = []
    to_come = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if to_come:
            return to_come.pop()
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await application(scope, receive, send)
    if patience:
        # What the lane does after the answer.
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=patience)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent))


def comparable(answer):
    """Without what differs between any two requests: ids, secrets, times."""
    body = re.sub(rb'"(requestId|deviceId|deviceSecret|tenantId|sealed|confirmBy|detail)": ?"[^"]*"', b"", answer.body)
    headers = {name: answer.headers.get(name) for name in SAME_HEADERS}
    if answer.status != LANE_ANSWERS:
        headers.pop("content-length")
        headers["retry-after"] = headers["retry-after"] is not None
    return answer.status, headers, body.replace(b" ", b"")


@pytest.fixture
def no_pace(settings):
    settings.POLL_MINIMUM_INTERVAL = 0


@pytest.fixture
def silent_view():
    """The view behind the lane, with a count of what reaches it."""
    django = get_asgi_application()

    async def counting(scope, receive, send):
        counting.requests += 1
        await django(scope, receive, send)

    counting.requests = 0
    return counting


@pytest.mark.parametrize("name", CASES)
def test_lane_and_view_answer_alike(live_db, no_pace, settings, silent_view, name):
    settings.ALLOWED_HOSTS = ["testserver"]
    request = CASES[name]()
    through_lane = ask(HeldPolls(PendingLane(silent_view)), request)
    assert (silent_view.requests == 0) == request.by_lane
    again = CASES[name]()
    through_view = ask(HeldPolls(get_asgi_application()), again)
    assert comparable(through_lane) == comparable(through_view)


def test_polling_too_fast_is_refused_alike(live_db, settings, monkeypatch):
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.POLL_MINIMUM_INTERVAL = 60
    answers = []
    for application in (HeldPolls(PendingLane(get_asgi_application())), HeldPolls(get_asgi_application())):
        monkeypatch.setattr(pace, "polls", pace.Pace())
        monkeypatch.setattr("provisioning.api.limits.polls", pace.polls)
        request = CASES["a plain poller that waits"]()
        answers.append([comparable(ask(application, request)) for _ in range(3)])
    assert answers[0] == answers[1]
    assert [status for status, *_ in answers[0]] == [202, 429, 429]


def test_that_a_device_still_polls_is_noted_by_the_lane(live_db, no_pace, moved_clock, silent_view, settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    statement = waiting()
    moved_clock.advance(seconds=31)
    ask(PendingLane(silent_view), Request({"serialNumber": statement.serial_number}), patience=5)
    assert silent_view.requests == 0
    assert enrolment_of(statement).last_polled_at == moved_clock.moment


def test_a_device_that_fell_silent_too_long_ago_is_the_views_affair(
    live_db, no_pace, moved_clock, silent_view, settings
):
    settings.ALLOWED_HOSTS = ["testserver"]
    statement = waiting()
    moved_clock.advance(hours=24)
    answer = ask(PendingLane(silent_view), Request({"serialNumber": statement.serial_number}))
    assert silent_view.requests == 1
    assert answer.status == 202
    assert Enrolment.objects.filter(serial_number=statement.serial_number).count() == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=25", 25),
        ("respond-async, wait=10", 10),
        ("wait = 5; x=1", 5),
        ('wait="7"', 7),
        ("WAIT=3", 3),
        ("wait=9999", 60),
        ("", 0),
        ("wait=", 0),
        ("wait=-1", 0),
        ("wait=1x", 0),
        ("await=5", 0),
    ],
)
def test_the_preference_is_read_as_rfc_7240_has_it(header, seconds):
    assert wait_preference(header) == seconds


def test_pace_forgets_nobody_early_and_keeps_nobody_for_ever():
    keeper = pace.Pace()
    assert keeper.allows(b"a", 60)
    assert not keeper.allows(b"a", 60)
    assert keeper.allows(b"b", 60)
    assert keeper.allows(b"a", 0)
