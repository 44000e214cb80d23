"""`Prefer: wait`: the lane's own rules, and held polls over real HTTP."""

import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from provisioning.lane.held import wait_preference
from provisioning.models import Enrolment
from provisioning.states import EnrolmentState
from tests.base import decline, enrolment_of, make_cast, make_statement, make_tenant, unique, unlock
from tests.live import own_server
from tests.servers import redis_server
from tests.times import until


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=25", 25),
        ("Wait = 25", 25),
        ('wait="25"', 25),
        ("respond-async, wait=10", 10),
        ("wait=10; respond-async", 10),
        ("wait=100000", 0),
        ("wait=99999", 60),
        ("wait=61", 60),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait", 0),
        ("xwait=5", 0),
        ("", 0),
    ],
)
def test_the_preference_is_read_as_rfc_7240_writes_it(header, seconds):
    assert wait_preference(header) == seconds


@pytest.fixture
def statement():
    return make_statement()


def hold(server, statement, wait=30, **kw):
    return server.poll({"serialNumber": statement.serial_number}, wait=wait, **kw)


def is_waiting(statement):
    return Enrolment.objects.filter(serial_number=statement.serial_number).exists()


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_a_held_poll_is_answered_when_the_device_is_let_in(server, live_db, pool, statement):
    held = pool.submit(hold, server, statement)
    until(lambda: is_waiting(statement), "the poll")
    assert not held.done()
    device = unlock(statement, make_tenant())
    answer = held.result(20)
    assert answer.status_code == 200
    assert answer.json()["deviceId"] == str(device.public_id)
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert "set-cookie" not in answer.headers and "Content-Length" in answer.headers


def test_a_held_poll_is_answered_when_the_device_is_declined(server, live_db, pool, statement):
    held = pool.submit(hold, server, statement)
    until(lambda: is_waiting(statement), "the poll")
    decline(statement, make_cast().alice)
    answer = held.result(20)
    assert (answer.status_code, answer.json()["code"]) == (410, "enrolment-closed")


def test_a_held_poll_is_answered_as_pending_when_its_time_is_over(server, live_db, statement):
    answer = hold(server, statement, wait=1)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.headers["Retry-After"] == str(answer.json()["pollAfter"])


def test_what_is_wrong_is_said_at_once(server, live_db):
    assert server.poll({"provisioningCode": "222222"}, wait=60).status_code == 404
    assert server.poll({}, wait=60).status_code == 400


def test_a_poll_that_hangs_up_while_it_waits_is_handed_nothing(server, live_db, statement):
    body = f'{{"serialNumber":"{statement.serial_number}"}}'
    request = (
        "POST /api/v1/provisioning/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nPrefer: wait=60\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as device:
            device.sendall(request.encode())
            until(lambda: is_waiting(statement), "the poll")
    # Daphne reads its sockets in turn: when it answers this, it has seen the hang-ups.
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    unlock(statement, make_tenant())
    assert hold(server, statement).status_code == 200


def test_only_the_enrolment_that_changed_wakes_its_poll(server, live_db, pool, statement):
    other = make_statement()
    held, woken = pool.submit(hold, server, statement), pool.submit(hold, server, other)
    until(lambda: is_waiting(statement) and is_waiting(other), "the polls")
    unlock(other, make_tenant())
    assert woken.result(20).status_code == 200
    assert not held.done()
    unlock(statement, make_tenant())
    assert held.result(20).status_code == 200


def test_a_lost_hint_costs_the_time_and_not_the_answer(server, live_db, pool, statement, monkeypatch):
    from devices import hints

    monkeypatch.setattr(hints, "_group_send", lambda group, message: None)
    held = pool.submit(hold, server, statement, wait=2)
    until(lambda: is_waiting(statement), "the poll")
    unlock(statement, make_tenant())
    assert held.result(20).status_code == 200


def test_without_redis_polls_are_answered_and_devices_come_aboard(live_db, pool, statement):
    with redis_server() as url, redis.Redis.from_url(url) as client, own_server(REDIS_URL=url) as server:
        held = pool.submit(hold, server, statement, wait=2)
        until(lambda: is_waiting(statement), "the poll")
        client.shutdown(nosave=True)
        unlock(statement, make_tenant())
        assert held.result(20).status_code == 200
    with own_server(REDIS_URL=url) as server:
        late = make_statement()
        answer = hold(server, late, wait=30)
        assert answer.status_code == 202
        unlock(late, make_tenant())
        assert hold(server, late, wait=30).status_code == 200


def test_two_hundred_held_polls_keep_nobody_else_waiting(server, live_db):
    statements = [make_statement() for _ in range(200)]
    tenant = make_tenant()
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(limits=limits) as client, ThreadPoolExecutor(200) as devices:
        held, serials = [], [one.serial_number for one in statements]
        # Not all at the same moment: how many can begin at once is another question than how many can wait.
        for number, one in enumerate(statements, start=1):
            held.append(devices.submit(_hold_patiently, server, one, client))
            if number % 10 == 0:
                begun = Enrolment.objects.filter(serial_number__in=serials)
                until(lambda rows=begun, wanted=number: rows.count() == wanted, "ten more polls", 60)
        assert not any(poll.done() for poll in held)
        # Answered while all of them wait, although each would wait far longer.
        assert httpx.get(f"{server.url}/healthz", timeout=20).status_code == 200
        assert server.poll({"serialNumber": unique("SN")}, timeout=20).status_code == 202
        for one in statements[:20]:
            unlock(one, tenant)
        assert [poll.result(40).status_code for poll in held[:20]] == [200] * 20
        assert not any(poll.done() for poll in held[20:])
        _wake(statements[20:])
        assert {poll.result(60).status_code for poll in held[20:]} == {410}


def _hold_patiently(server, statement, client):
    """On a busy machine the connections to the database do not go round: then a device comes again, as it is told."""
    while (answer := hold(server, statement, wait=60, client=client, timeout=120)).status_code == 503:
        assert answer.headers["Retry-After"]
    return answer


def _wake(statements):
    """Ends what the polls wait for, so that the test need not."""
    from devices.hints import hint_enrolment_changed

    serials = [statement.serial_number for statement in statements]
    waiting = Enrolment.objects.filter(serial_number__in=serials)
    for row in waiting:
        Enrolment.objects.filter(pk=row.pk).update(state=EnrolmentState.DELIVERED, device=_some_device())
        hint_enrolment_changed(row.public_id)


def _some_device():
    from devices.models import Device

    return Device.objects.latest("pk")


def test_a_hand_over_reaches_one_of_two_held_polls(server, live_db, pool, statement):
    held = [pool.submit(hold, server, statement) for _ in range(2)]
    until(lambda: is_waiting(statement), "the polls")
    unlock(statement, make_tenant())
    assert sorted(poll.result(20).status_code for poll in held) == [200, 410]
    assert enrolment_of(statement).state == EnrolmentState.DELIVERED


def test_a_body_that_never_ends_is_refused(server, live_db):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as device:
        device.sendall(
            b"POST /api/v1/provisioning/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nPrefer: wait=5\r\n"
            b"Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
        )
        device.sendall(b"x")
        device.shutdown(socket.SHUT_WR)
        assert device.recv(100).startswith((b"HTTP/1.1 413", b"HTTP/1.1 400", b""))
