"""The hub and its native door: a real Daphne, real sockets, nothing of ours on the device's side."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import InvalidStatus

from devices.actors import Actor
from devices.models import Device, HubProcess, Session
from devices.services.credentials import revoke_credentials
from provisioning.models import Enrolment
from provisioning.services.removal import delete_device
from tests.base import MERGE_PATCH, aboard, api_client
from tests.live import basic, device_socket, own_server
from tests.times import until
from twins.services.twins import change_desired, change_tags, get_twin


@pytest.fixture
def device(live_cast):
    return aboard(live_cast.tenant_a)


@pytest.fixture
def socket(server, device):
    """The device's socket after hello."""
    with device_socket(server, device) as socket:
        socket.welcome = socket.hello()
        yield socket


def desire(device, patch):
    return change_desired(device=device.device, patch=patch, actor=Actor.system())


def twin_of(device):
    return get_twin(device_id=device.device.pk)


def session_of(device):
    return Session.objects.filter(device=device.device).latest("epoch")


def no_session(device):
    return not Session.objects.filter(device=device.device, closed_at=None).exists()


# --- Getting in -------------------------------------------------------------------------------------------------------


def refused(server, device, authorization):
    with pytest.raises(InvalidStatus) as refusal, device_socket(server, device, authorization=authorization):
        pass
    return refusal.value.response.status_code


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic é",
        "Basic " + "YQ==",
        "Basic /w==",
        "Bearer gwd_x",
        "Digest x",
        basic("", ""),
        basic("id", ""),
        basic("x" * 5000, "y" * 5000),
    ],
)
def test_without_credentials_there_is_no_socket(server, device, authorization):
    assert refused(server, device, authorization) in (401, 403)
    assert no_session(device)


def test_wrong_credentials_are_refused_before_the_upgrade(server, live_cast, device):
    other = aboard(live_cast.tenant_b)
    for header in (
        basic(device.device_id, device.secret[:-1] + ("A" if device.secret[-1] != "A" else "B")),
        basic(device.device_id, other.secret),
        basic(other.device_id, device.secret),
        basic(device.secret, device.device_id),
        basic(device.device.serial_number, device.secret),
    ):
        assert refused(server, device, header) in (401, 403)


def test_a_deleted_device_and_a_revoked_credential_are_refused(server, live_cast, device):
    delete_device(device=device.device, actor=Actor.system())
    assert refused(server, device, None) in (401, 403)
    other = aboard(live_cast.tenant_a)
    revoke_credentials(device=other.device, actor=Actor.system(), reason="test")
    assert refused(server, other, None) in (401, 403)


def test_an_id_is_read_in_any_case(server, device):
    with device_socket(server, device, authorization=basic(device.device_id.upper(), device.secret)) as socket:
        assert socket.hello()["type"] == "welcome"


def test_there_is_no_other_socket(server, device):
    server_elsewhere = type("Elsewhere", (), {"hub": server.hub + "/x"})
    assert refused(server_elsewhere, device, None) in (403, 404)


# --- Hello ------------------------------------------------------------------------------------------------------------


def test_the_hub_welcomes_the_device(socket, device, live_cast):
    welcome, twin = socket.welcome, twin_of(device)
    assert welcome.pop("sessionId") == str(session_of(device).public_id)
    assert welcome.pop("time").endswith("Z")
    assert welcome == {
        "type": "welcome",
        "deviceId": device.device_id,
        "tenantId": str(live_cast.tenant_a.public_id),
        "generation": twin.generation,
        "desiredVersion": 0,
        "reportedVersion": 0,
        "desired": {},
        "heartbeat": 30,
    }


def test_the_first_connection_confirms_the_enrolment(socket, device):
    assert Enrolment.objects.get(device=device.device).state == "confirmed"
    assert Device.objects.get(pk=device.device.pk).activated_at is not None


def test_the_device_says_what_it_runs(server, device):
    with device_socket(server, device) as socket:
        assert socket.hello(id="1", agent="lamp 2.0")["id"] == "1"
        assert session_of(device).agent == "lamp 2.0"


def test_the_version_the_device_has_is_not_sent_again(server, device):
    desire(device, {"a": 1})
    generation = twin_of(device).generation
    with device_socket(server, device) as socket:
        assert "desired" not in socket.hello(generation=generation, desiredVersion=1)
    for members in ({"generation": generation, "desiredVersion": 0}, {"generation": 1, "desiredVersion": 1}, {}):
        with device_socket(server, device) as socket:
            welcome = socket.hello(**members)
            assert (welcome["desired"], welcome["desiredVersion"]) == ({"a": 1}, 1)


@pytest.mark.parametrize("frame", [{"type": "ping"}, {"type": "report", "patch": {"a": 1}}, {"type": "getTwin"}])
def test_the_first_frame_must_be_hello(server, device, frame):
    with device_socket(server, device) as socket:
        assert socket.ask(**{"kind": frame["type"], **{k: v for k, v in frame.items() if k != "type"}})["code"] == (
            "hello-missing"
        )
        assert socket.close_code() == 4408
    assert twin_of(device).reported == {}


def test_a_hello_that_is_wrong_may_be_repeated_and_a_second_one_may_not(server, device):
    with device_socket(server, device) as socket:
        assert socket.hello(id="1", generation="x")["code"] == "invalid-frame"
        assert socket.hello()["type"] == "welcome"
        assert socket.hello(id="3") == socket_error("invalid-frame", "3", socket)


def socket_error(code, frame_id, socket):
    from twins.errors import InvalidFrame

    return {
        "type": "error",
        "id": frame_id,
        "code": code,
        "title": InvalidFrame.title,
        "detail": "There was a hello on this connection.",
    }


# --- Frames -----------------------------------------------------------------------------------------------------------


def test_a_report_is_acknowledged_when_it_can_be_read(socket, device):
    assert socket.ask("report", id="r1", patch={"a": {"b": 1}}) == {"type": "reported", "id": "r1", "version": 1}
    assert twin_of(device).reported == {"a": {"b": 1}}
    assert socket.ask("report", patch={"a": {"b": 1}}) == {"type": "reported", "version": 1}
    assert socket.ask("report", patch={"a": {"b": None}, "c": [1]})["version"] == 2
    assert twin_of(device).reported == {"a": {}, "c": [1]}


def test_frames_are_answered_in_their_order(socket, device):
    for number in range(30):
        socket.send("report", id=str(number), patch={"n": number})
    answers = [socket.read() for _ in range(30)]
    assert [(answer["id"], answer["version"]) for answer in answers] == [(str(n), n + 1) for n in range(30)]


def test_the_twin_is_sent_without_its_tags(socket, device):
    change_tags(device=device.device, patch={"floor": "hidden-7"}, actor=Actor.system())
    socket.ask("report", patch={"a": 1})
    frame = socket.ask("getTwin", id="t")
    assert frame == {
        "type": "twin",
        "id": "t",
        "generation": twin_of(device).generation,
        "desired": {"$version": 0},
        "reported": {"a": 1, "$version": 1},
    }
    assert "hidden-7" not in json.dumps([frame, socket.welcome])


def test_a_desired_change_is_pushed_and_acknowledged(socket, device, live_cast):
    url = f"/api/v1/devices/{device.device_id}/twin/desired"
    answer = api_client(live_cast.alice).patch(url, json.dumps({"on": True}), content_type=MERGE_PATCH)
    assert answer.status_code == 200
    pushed = socket.read()
    assert pushed == {
        "type": "desired",
        "generation": twin_of(device).generation,
        "from": 0,
        "version": 1,
        "patch": {"on": True},
    }
    assert socket.ask("applied", id="a", version=1) == {"type": "acknowledged", "id": "a", "version": 1}
    assert (twin_of(device).acknowledged_version, twin_of(device).acknowledgement) == (1, "applied")
    desire(device, {"on": False})
    assert socket.read()["version"] == 2
    assert socket.ask("failed", version=2, reason="no power")["type"] == "acknowledged"
    assert (twin_of(device).acknowledgement, twin_of(device).acknowledgement_reason) == ("failed", "no power")
    assert socket.ask("applied", version=9)["code"] == "invalid-frame"


def test_every_version_is_pushed_in_order_and_leads_to_the_document(socket, device):
    for number in range(10):
        desire(device, {f"n{number % 3}": number})
    frames = []
    while not frames or frames[-1]["version"] < 10:
        frames.append(socket.read())
    assert [frame["from"] for frame in frames] == list(range(10))
    assert [frame["version"] for frame in frames] == list(range(1, 11))


def test_what_changed_while_the_device_was_away_is_in_the_next_welcome(server, device):
    with device_socket(server, device) as socket:
        socket.hello()
    until(lambda: no_session(device), "the end of the session")
    desire(device, {"a": 1})
    with device_socket(server, device) as socket:
        assert socket.hello()["desired"] == {"a": 1}


def test_nothing_is_pushed_before_hello(server, device):
    with device_socket(server, device) as socket:
        desire(device, {"a": 1})
        welcome = socket.hello()
        assert (welcome["type"], welcome["desired"]) == ("welcome", {"a": 1})


def test_a_lost_hint_is_healed_by_the_compare(socket, device, monkeypatch):
    from devices import hints

    monkeypatch.setattr(hints, "_send", lambda channel, message: None)
    desire(device, {"a": 1})
    assert socket.read()["version"] == 1


def test_a_gap_in_the_history_is_bridged_by_the_document(socket, device, monkeypatch):
    from devices import hints
    from twins.models import TwinChange

    with monkeypatch.context() as silent:
        silent.setattr(hints, "_send", lambda channel, message: None)
        from django.db import transaction

        with transaction.atomic():
            desire(device, {"a": 1})
            TwinChange.objects.filter(twin=twin_of(device)).delete()
    pushed = socket.read()
    assert (pushed["from"], pushed["version"], pushed["document"]) == (0, 1, {"a": 1})
    assert "patch" not in pushed


def test_a_ping_is_answered(socket):
    answer = socket.ask("ping", id="p")
    assert (answer["type"], answer["id"]) == ("pong", "p")


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"kind": "dance"}, "invalid-frame", None),
        ({"kind": "report"}, "invalid-frame", None),
        ({"kind": "report", "patch": {"a": {"b c": 1}}}, "invalid-patch", "/a/b c"),
        ({"kind": "report", "patch": {"a": [None]}}, "invalid-patch", "/a/0"),
        ({"kind": "report", "patch": {f"n{n}": "x" * 4000 for n in range(9)}}, "twin-too-large", None),
        ({"kind": "applied"}, "invalid-frame", None),
    ],
)
def test_a_frame_that_is_wrong_is_answered_and_the_connection_stays(socket, device, members, code, pointer):
    answer = socket.ask(id="7", **members)
    assert (answer["type"], answer["id"], answer["code"]) == ("error", "7", code)
    assert answer.get("pointer") == pointer
    assert socket.ask("ping")["type"] == "pong"
    assert twin_of(device).reported == {}


# --- Ends -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", 4400),
        ("[]", 4400),
        ('{"type":"ping","type":"ping"}', 4400),
        ('{"type":"ping","id":"\\ud800"}', 4400),
        (b"\x00\x01", None),
        ('{"type":"report","patch":{"a":"' + "x" * 65536 + '"}}', 4413),
        ('{"type":"report","patch":{"a":"' + "é" * 32768 + '"}}', 4413),
    ],
    ids=["text", "array", "twice", "surrogate", "binary", "oversize", "oversize-in-bytes"],
)
def test_a_frame_that_cannot_be_read_ends_the_connection(socket, device, message, code):
    socket.connection.send(message)
    frames, closed = socket.remainder() if code else ([socket.read()], None)
    assert frames[0]["type"] == "error"
    assert closed == code
    if code:
        until(lambda: no_session(device), "the end of the session")
        assert session_of(device).close_reason == "protocol"


def test_a_frame_of_just_the_limit_is_read(socket):
    frame = '{"type":"ping","x":""}'
    socket.connection.send(frame.replace('""', '"' + "x" * (65536 - len(frame)) + '"'))
    assert socket.read()["type"] == "pong"


def test_a_flood_ends_the_connection(socket, device):
    try:
        for _ in range(1500):
            socket.send("ping")
    except Exception:  # noqa: BLE001, S110  closed while it sends
        pass
    frames, code = socket.remainder()
    assert code == 4429
    errors = [frame for frame in frames if frame["type"] == "error"]
    assert [(error["code"], error["retryAfter"]) for error in errors] == [("too-many-requests", 10)]


def test_a_second_connection_replaces_the_first(server, device):
    with device_socket(server, device) as first:
        first.hello()
        with device_socket(server, device) as second:
            second.hello()
            assert first.close_code() == 4409
            assert second.ask("report", patch={"a": 1})["version"] == 1
            sessions = Session.objects.filter(device=device.device).order_by("epoch")
            assert [(row.close_reason, row.closed_at is None) for row in sessions] == [("replaced", False), ("", True)]


def test_a_second_connection_through_another_process_replaces_the_first(server, device):
    with own_server() as elsewhere, device_socket(server, device) as first:
        first.hello()
        with device_socket(elsewhere, device) as second:
            second.hello()
            assert first.close_code() == 4409
            desire(device, {"a": 1})
            assert second.read()["version"] == 1


def test_of_many_connections_at_once_the_newest_stays(server, device):
    def connect(_):
        try:
            with device_socket(server, device) as socket:
                socket.hello()
                return socket.close_code()
        except InvalidStatus as refusal:
            return refusal.response.status_code
        except Exception:  # noqa: BLE001  closed before it could say hello
            return 4409

    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(connect, number) for number in range(8)]
        until(lambda: sum(end.done() for end in ends) == 7, "the end of all but one")
        assert Session.objects.filter(device=device.device, closed_at=None).count() == 1
        desire(device, {"a": 1})
        delete_device(device=device.device, actor=Actor.system())
        codes = [end.result(20) for end in ends]
    assert sorted(set(codes) - {403}) == [4401, 4409]
    assert codes.count(4401) == 1


@pytest.mark.parametrize("how", ["delete", "revoke", "api"])
def test_the_end_of_the_credentials_ends_the_session_at_once(socket, device, live_cast, how):
    if how == "delete":
        delete_device(device=device.device, actor=Actor.system())
    elif how == "revoke":
        revoke_credentials(device=device.device, actor=Actor.system(), reason="test")
    else:
        assert api_client(live_cast.alice).delete(f"/api/v1/devices/{device.device_id}").status_code == 204
    assert no_session(device)
    assert socket.close_code() == 4401


def test_an_end_whose_hint_was_lost_is_found_by_the_compare(socket, device, monkeypatch):
    from devices import hints

    monkeypatch.setattr(hints, "_send", lambda channel, message: None)
    delete_device(device=device.device, actor=Actor.system())
    assert socket.close_code() == 4401


def test_a_device_that_goes_away_is_offline(server, device):
    with device_socket(server, device) as socket:
        socket.hello()
    until(lambda: no_session(device), "the end of the session")
    assert session_of(device).close_reason == "device"


def test_two_devices_are_independent(server, live_cast):
    one, other = aboard(live_cast.tenant_a), aboard(live_cast.tenant_b)
    with device_socket(server, one) as first, device_socket(server, other) as second:
        first.hello()
        second.hello()
        desire(one, {"a": 1})
        desire(other, {"b": 1})
        assert (first.read()["patch"], second.read()["patch"]) == ({"a": 1}, {"b": 1})
        first.ask("report", patch={"x": 1})
        second.ask("report", patch={"y": 1})
        delete_device(device=one.device, actor=Actor.system())
        assert first.close_code() == 4401
        assert second.ask("ping")["type"] == "pong"
    assert (twin_of(one).reported, twin_of(other).reported) == ({"x": 1}, {"y": 1})


def test_devices_of_a_process_that_died_come_into_doubt_and_can_return(server, device):
    with own_server(HUB_PROCESS_LEASE="3") as elsewhere, device_socket(elsewhere, device) as socket:
        socket.hello()
        assert socket.ask("report", patch={"a": 1})["version"] == 1
        process = HubProcess.objects.get(sessions__device=device.device)
        elsewhere.kill()
        assert socket.close_code() == 1006
    assert not no_session(device)
    assert session_of(device).process == process
    with device_socket(server, device) as socket:
        assert socket.hello()["reportedVersion"] == 1


def test_without_redis_a_device_is_told_to_come_back_and_not_that_it_is_unknown(device):
    with own_server(REDIS_URL="redis://127.0.0.1:1/0") as server, device_socket(server, device) as socket:
        assert socket.close_code() == 4503
    assert no_session(device)


def test_the_log_of_a_server_holds_no_traceback(server):
    assert "Traceback" not in server.log(), server.log()
