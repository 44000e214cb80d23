from __future__ import annotations

import asyncio
import json

import pytest

from fake_hub import eventually
from fake_portal import CUT, SECRET, problem
from gangway_device import (
    AlreadyProvisioned,
    ConfigurationError,
    Credentials,
    EnrolmentClosed,
    NotProvisioned,
    Pending,
    Provisioner,
    Refused,
    StoreBusy,
    StoreMismatch,
    WrongPollToken,
    provision,
)
from gangway_device.portal import Portal, TryLater


@pytest.fixture
def make(store, portal, network, pace):
    def make(**overrides):
        arguments = {"portal": portal.url, "serial_number": "A1", "network": network, "pace": pace, **overrides}
        return Provisioner(store, **arguments)

    return make


def unlocking(portal, codes):
    """What a person does: reads the code, and lets the device in."""

    def on_code(code):
        codes.append(code)
        portal.unlock("A1")

    return on_code


async def test_it_shows_a_code_and_keeps_the_credentials(make, portal, store):
    codes = []
    credentials = await make(
        on_code=unlocking(portal, codes), product="thermometer", attributes={"firmware": "1.4.2"}
    ).run()

    assert credentials == store.load()
    assert credentials.device_secret == SECRET and credentials.data_residency == "au"
    assert len(codes[0].grouped) == 7 and codes[0].verification_uri_complete.endswith(codes[0].code)
    asked = portal.made("codes")[0].body
    assert asked["product"] == "thermometer" and asked["attributes"] == {"firmware": "1.4.2"}
    poll = portal.made("poll")[0]
    assert poll.headers["prefer"] == "wait=25" and poll.body["pollToken"] == asked["pollToken"]
    assert len(asked["pollToken"]) >= 32


async def test_it_stores_the_poll_token_before_it_uses_it(make, portal, store):
    task = asyncio.create_task(make().run())
    await eventually(lambda: portal.requests)
    pending = store.load()
    task.cancel()
    await asyncio.wait([task])

    assert isinstance(pending, Pending) and pending.poll_token == portal.requests[0].body["pollToken"]


async def test_a_restart_polls_with_the_same_token(make, portal):
    task = asyncio.create_task(make().run())
    await eventually(lambda: portal.made("poll"))
    task.cancel()
    await asyncio.wait([task])
    await eventually(lambda: portal.held == 0)
    portal.unlock("A1")
    await make().run()

    assert len({request.body["pollToken"] for request in portal.requests}) == 1


async def test_another_portal_does_not_get_the_old_token(make, store):
    store.save(Pending("http://other.example", "A1", "old-token"))
    task = asyncio.create_task(make().run())
    await eventually(lambda: store.load().poll_token != "old-token")
    task.cancel()
    await asyncio.wait([task])


async def test_it_is_idempotent(make, portal, aboard):
    assert await make().run() == aboard.load_credentials()
    assert portal.requests == []


async def test_it_renews_the_code_when_it_expires(make, portal):
    portal.expires_in = 0.05
    codes = []

    def on_code(code):
        codes.append(code)
        if len(codes) == 3:
            portal.unlock("A1")

    await make(on_code=on_code).run()
    assert len({code.code for code in codes}) == 3


async def test_it_renews_the_code_when_the_portal_says_so(make, portal):
    portal.faults["poll"].append(problem(410, "code-expired"))
    codes = []

    def on_code(code):
        codes.append(code)
        if len(codes) == 2:
            portal.unlock("A1")

    await make(on_code=on_code).run()
    assert len(codes) == 2


async def test_it_goes_on_polling_while_codes_are_refused(make, portal):
    portal.faults["codes"].append(problem(429, "too-many-codes", "300"))
    task = asyncio.create_task(make(on_code=lambda code: None).run())
    await eventually(lambda: portal.enrolments)
    portal.unlock("A1")
    assert isinstance(await task, Credentials)
    assert len(portal.made("codes")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        problem(429, "too-many-requests", "0"),
        problem(503, "maintenance", "Fri, 20 Nov 2020 12:00:00 GMT"),
        (502, {}, b"<html>"),
        (200, {}, b"<html>log in to the hotel's network</html>"),
        (200, {}, {"status": "provisioned"}),
        (CUT, {}, {}),
    ],
)
async def test_it_gets_over(fault, make, portal):
    portal.faults["poll"].extend([fault, fault])
    portal.faults["codes"].append(fault)
    credentials = await make(on_code=unlocking(portal, [])).run()
    assert credentials.device_secret == SECRET


async def test_it_gets_over_a_restart_of_the_portal(make, portal):
    task = asyncio.create_task(make(on_code=lambda code: None).run())
    await eventually(lambda: portal.made("poll"))
    await portal.stop()
    await asyncio.sleep(0.02)
    await portal.start()
    portal.unlock("A1")
    assert isinstance(await task, Credentials)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "wrong-poll-token", WrongPollToken),
        (410, "already-provisioned", AlreadyProvisioned),
        (410, "enrolment-closed", EnrolmentClosed),
        (400, "invalid", Refused),
    ],
)
async def test_it_stops_at_a_refusal(status, code, error, make, portal):
    portal.faults["poll"].append(problem(status, code, "3600"))
    with pytest.raises(error, match=f"because {code}") as caught:
        await make().run()
    assert caught.value.code == code
    assert getattr(caught.value, "retry_after", 3600.0) == 3600.0


async def test_it_says_when_there_is_no_portal(make, portal):
    portal.faults["codes"].append((404, {}, b"not here"))
    with pytest.raises(Refused, match="HTTP 404"):
        await make().run()


async def test_the_message_names_the_fields_in_error(make, portal):
    status, headers, body = problem(400, "invalid")
    body |= {"errors": [{"field": "serialNumber", "detail": "too long"}], "requestId": "r-1"}
    portal.faults["codes"].append((status, headers, body))
    with pytest.raises(Refused, match=r"serialNumber.*too long.*request r-1"):
        await make().run()


async def test_the_secret_is_in_no_log_and_no_repr(make, portal, caplog):
    caplog.set_level(0)
    credentials = await make(on_code=unlocking(portal, [])).run()
    token = portal.requests[0].body["pollToken"]
    for text in (caplog.text, repr(credentials), repr(Pending("p", "A1", token))):
        assert SECRET not in text and token not in text


async def test_two_provisioners_do_not_share_a_store(make, portal, store):
    with store.lock(), pytest.raises(StoreBusy):
        await make().run()


async def test_a_store_belongs_to_one_serial_number(make, aboard):
    with pytest.raises(StoreMismatch):
        await make(serial_number="B2").run()
    assert (await make(serial_number="a1").run()).serial_number == "A1"


@pytest.mark.parametrize("address", ["portal.example", "ftp://portal.example", "https://", "http://[1", ""])
def test_it_refuses_what_is_no_address(make, address):
    with pytest.raises(ConfigurationError, match="https://portal.example"):
        make(portal=address)


@pytest.mark.parametrize("serial", ["", "x" * 65, "é", "a\nb", " a"])
def test_it_refuses_what_is_no_serial_number(make, serial):
    with pytest.raises(ConfigurationError):
        make(serial_number=serial)


async def test_the_blocking_face(portal, store, network):
    def block():
        return provision(
            store, portal=portal.url, serial_number="A1", network=network, on_code=unlocking(portal, []), timeout=5
        )

    assert (await asyncio.to_thread(block)).device_secret == SECRET


async def test_the_blocking_face_has_a_time_limit(portal, store, network):
    def block():
        return provision(store, portal=portal.url, serial_number="A1", network=network, timeout=0.05)

    with pytest.raises(TimeoutError):
        await asyncio.to_thread(block)
    with pytest.raises(NotProvisioned):
        store.load_credentials()


async def test_poll_after_may_come_as_a_header(portal, network):
    async with Portal(portal.url, network, "A1") as client:
        portal.faults["poll"].append((202, {"Retry-After": "7"}, {"status": "pending"}))
        assert await client.poll({"serialNumber": "A1"}, 0) == 7.0
        portal.faults["poll"].append((202, {}, {"status": "pending"}))
        assert await client.poll({"serialNumber": "A1"}, 0) == 5.0
        assert "prefer" not in portal.requests[0].headers


async def test_a_retry_after_is_kept(portal, network):
    portal.faults["poll"].append(problem(429, "too-many-requests", "11"))
    async with Portal(portal.url, network, "A1") as client:
        with pytest.raises(TryLater) as caught:
            await client.poll({"serialNumber": "A1"}, 0)
    assert caught.value.after == 11.0


def test_the_file_says_what_it_holds(aboard):
    content = json.loads(aboard.path.read_text())
    assert content["credentials"]["dataResidency"] == "au"
