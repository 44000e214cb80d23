from __future__ import annotations

import asyncio
import json
import os

import pytest

from fake_hub import eventually
from fake_portal import CUT, SECRET, problem
from gangway_device import (
    AlreadyProvisioned,
    ConfigurationError,
    Credentials,
    EnrolmentClosed,
    HandOverUnreadable,
    NotProvisioned,
    Pending,
    Provisioner,
    Refused,
    StoreBusy,
    StoreMismatch,
    WrongPoller,
    base64url,
    provision,
    sealing,
)
from gangway_device.portal import Portal, StillPending, TryLater


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
    assert poll.headers["prefer"] == "wait=25" and poll.body == asked
    assert asked.keys() == {"serialNumber", "publicKey", "product", "attributes"} and len(asked["publicKey"]) == 43


async def test_a_device_that_shows_no_code_asks_for_none(make, portal):
    task = asyncio.create_task(make(product="thermometer", attributes={"firmware": "1.4.2"}).run())
    await eventually(lambda: portal.made("poll"))
    portal.unlock("A1")
    await task
    assert portal.made("codes") == []
    about = portal.made("poll")[0].body
    assert about["product"] == "thermometer" and about["attributes"] == {"firmware": "1.4.2"}


async def test_it_stores_the_key_before_it_uses_it(make, portal, store):
    task = asyncio.create_task(make().run())
    await eventually(lambda: portal.requests)
    pending = store.load()
    task.cancel()
    await asyncio.wait([task])

    public_key = sealing.public_key_of(base64url.decode(pending.private_key))
    assert portal.requests[0].body["publicKey"] == base64url.encode(public_key) and pending.poll_token == ""


async def test_a_restart_polls_with_the_same_key(make, portal):
    task = asyncio.create_task(make().run())
    await eventually(lambda: portal.made("poll"))
    task.cancel()
    await asyncio.wait([task])
    await eventually(lambda: portal.held == 0)
    portal.unlock("A1")
    await make().run()

    assert len({request.body["publicKey"] for request in portal.made("poll")}) == 1


async def test_a_restart_after_the_unlock_polls_at_once(make, portal):
    task = asyncio.create_task(make(on_code=lambda code: None).run())
    await eventually(lambda: portal.made("poll"))
    task.cancel()
    await asyncio.wait([task])
    await eventually(lambda: portal.held == 0)
    portal.unlock("A1")
    codes = []
    # No code is given to a device that was let in.
    assert isinstance(await make(on_code=codes.append).run(), Credentials)
    assert codes == [] and len(portal.made("codes")) == 2


async def test_another_portal_does_not_get_the_old_token(make, store):
    store.save(Pending("http://other.example", "A1", "old-token"))
    task = asyncio.create_task(make().run())
    await eventually(lambda: store.load().poll_token == "")
    task.cancel()
    await asyncio.wait([task])


async def test_a_store_of_the_first_version_goes_on_with_its_token(make, portal, store):
    store.path.parent.mkdir(mode=0o700)
    pending = {"portal": portal.url, "serialNumber": "A1", "pollToken": "t" * 43}
    store.path.write_text(json.dumps({"format": 1, "pending": pending}))
    store.path.chmod(0o600)
    portal.let_everybody_in = True
    credentials = await make(on_code=lambda code: None).run()
    assert credentials.device_secret == SECRET and credentials.confirmed
    assert {request.body.get("pollToken") for request in portal.made("poll")} == {"t" * 43}
    assert not any("publicKey" in request.body for request in portal.requests)


async def test_credentials_of_the_first_version_are_left_alone(make, portal, aboard):
    assert '"confirmAt"' not in aboard.path.read_text()
    assert (await make().run()).confirmed and portal.requests == []


async def test_a_device_without_cryptography_uses_a_token(make, portal):
    portal.let_everybody_in = True
    await make(hand_over="token").run()
    body = portal.made("poll")[0].body
    assert len(body["pollToken"]) >= 32 and "publicKey" not in body


async def test_damage_on_the_way_is_got_over(make, portal, caplog):
    portal.let_everybody_in = True
    whole = [{"status": "provisioned", "suite": "x", "sealed": f"damage number {number}"} for number in range(9)]
    portal.faults["poll"].extend((200, {}, answer) for answer in whole)
    assert (await make().run()).device_secret == SECRET
    assert caplog.text.count("cannot be used") == 9


async def test_the_same_bytes_again_and_again_are_not_damaged_on_the_way(make, portal, store):
    portal.let_everybody_in = True
    foreign = (200, {}, {"status": "provisioned", "suite": "x", "sealed": "foreign"})
    portal.faults["poll"].extend([foreign] * 3)
    with pytest.raises(HandOverUnreadable):
        await make().run()
    assert len(portal.made("poll")) == 3
    # The key is still there, and so the next start ends well.
    assert isinstance(store.load(), Pending)
    assert (await make().run()).device_secret == SECRET
    assert len({request.body["publicKey"] for request in portal.made("poll")}) == 1


async def test_the_key_is_gone_with_the_first_write_of_the_credentials(make, portal, store, monkeypatch):
    portal.let_everybody_in = True
    contents = []
    replace = os.replace

    def remember(source, target):
        replace(source, target)
        contents.append(json.loads(target.read_text()))

    monkeypatch.setattr(os, "replace", remember)
    await make().run()
    assert [sorted(content) for content in contents] == [["format", "pending"], *[["credentials", "format"]] * 2]
    assert "privateKey" in contents[0]["pending"] and "privateKey" not in contents[1]["credentials"]


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
        (200, {}, {"status": "welcome to the hotel"}),
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
        (204, {}, b""),
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
        (403, "wrong-poller", WrongPoller),
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
    portal.faults["poll"].append((404, {}, b"not here"))
    with pytest.raises(Refused, match="HTTP 404"):
        await make().run()


async def test_the_message_names_the_fields_in_error(make, portal):
    status, headers, body = problem(400, "invalid")
    body |= {"errors": [{"field": "serialNumber", "detail": "too long"}], "requestId": "r-1"}
    portal.faults["poll"].append((status, headers, body))
    with pytest.raises(Refused, match=r"serialNumber.*too long.*request r-1"):
        await make().run()


async def test_the_secret_is_in_no_log_and_no_repr(make, portal, store, caplog):
    caplog.set_level(0)
    running = asyncio.create_task(make(on_code=lambda code: None).run())
    await eventually(lambda: portal.made("poll"))
    pending = store.load()
    portal.unlock("A1")
    credentials = await running
    basic = portal.made("confirm")[0].headers["authorization"].removeprefix("Basic ")
    for text in (caplog.text, repr(credentials), repr(pending), repr(Pending("p", "A1", "a-token"))):
        assert not any(hidden in text for hidden in (SECRET, pending.private_key, basic, "a-token"))


async def test_a_lost_key_is_told_with_advice(make, portal, store):
    portal.let_everybody_in = True
    portal.faults["confirm"].append(problem(401, "not-authenticated"))
    await make().run()
    store.path.unlink()
    with pytest.raises(WrongPoller, match="Another device has this serial number, or this one has lost its state file"):
        await make().run()


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
        assert await client.poll({"serialNumber": "A1"}, 0) == StillPending(7.0, None)
        portal.faults["poll"].append((202, {}, {"status": "pending"}))
        assert await client.poll({"serialNumber": "A1"}, 0) == StillPending(5.0, None)
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
