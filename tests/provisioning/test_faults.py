"""What the hand-over survives: an answer that is cut anywhere, a server that dies anywhere."""

import json
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from devices.models import Credential
from devices.services.credentials import authenticate_device
from provisioning.errors import AlreadyProvisioned
from provisioning.states import EnrolmentState
from tests.base import enrolment_of, make_statement, make_tenant, poll, unlock
from tests.live import ROOT, child_environment
from tests.provisioning.sealed import KINDS, DeviceSide, assert_not_in_database

FIRST_ANSWERS_CUT = 24


def let_in(side, tenant):
    poll(side.statement)
    return unlock(side.statement, tenant)


class CutConnection:
    """Asks over a raw socket and reads so many bytes of the answer."""

    def __init__(self, server):
        parts = urlsplit(server.url)
        self._address = (parts.hostname, parts.port)

    def ask(self, body, length=None):
        content = json.dumps(body).encode()
        head = (
            "POST /api/v1/provisioning/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        with socket.create_connection(self._address, timeout=20) as connection:
            connection.sendall(head.encode() + content)
            answer = b""
            while length is None or len(answer) < length:
                part = connection.recv(65536 if length is None else length - len(answer))
                if not part:
                    break
                answer += part
        return answer


def body_of(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    return body


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_cut_at_any_byte_is_given_again(server, live_db, kind):
    side = DeviceSide(kind)
    device = let_in(side, make_tenant())
    connection = CutConnection(server)
    whole = connection.ask(side.body)
    for length in range(len(whole)):
        connection.ask(side.body, length)
    assert body_of(connection.ask(side.body)) == body_of(whole)
    assert Credential.objects.filter(device=device).count() == 1
    given = side.read(body_of(whole))
    assert authenticate_device(device_id=given["deviceId"], secret=given["deviceSecret"], network=None)
    assert_not_in_database(given["deviceSecret"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_answer_may_be_cut_anywhere(server, live_db, kind):
    tenant, connection = make_tenant(), CutConnection(server)
    for cut in range(FIRST_ANSWERS_CUT):
        side = DeviceSide(kind)
        device = let_in(side, tenant)
        connection.ask(side.body, cut * 32)
        given = side.read(body_of(connection.ask(side.body)))
        assert authenticate_device(device_id=given["deviceId"], secret=given["deviceSecret"], network=None)
        assert Credential.objects.filter(device=device).count() == 1


@pytest.mark.parametrize("kind", [*KINDS, "plain"])
def test_a_server_killed_between_any_two_statements_leaves_a_device_that_can_go_on(live_db, kind):
    side = DeviceSide(kind) if kind != "plain" else None
    statement = side.statement if side else make_statement()
    poll(statement)
    device = unlock(statement, make_tenant())
    deaths = 0
    with victim(statement) as process:
        for line in process.stdout:
            if line.strip() == "done":
                break
            assert line.strip().isdigit(), line
            deaths += 1
            assert_untouched(statement, device)
            process.stdin.write("\n")
            process.stdin.flush()
    assert deaths >= 8, "statements were not counted"
    assert enrolment_of(statement).state == EnrolmentState.DELIVERED
    assert Credential.objects.filter(device=device).count() == 1
    if side is None:
        # The answer was lost with the process: a plain poller is told so, and support sees a device that never came.
        with pytest.raises(AlreadyProvisioned):
            poll(statement)
        return
    given = side.read(poll(statement).body)
    assert authenticate_device(device_id=given["deviceId"], secret=given["deviceSecret"], network=None)
    assert_not_in_database(given["deviceSecret"])


def assert_untouched(statement, device):
    """Whatever came before the death was rolled back as a whole."""
    assert enrolment_of(statement).state == EnrolmentState.UNLOCKED
    assert not Credential.objects.filter(device=device).exists()


def victim(statement):
    members = {
        "serial": statement.serial_number,
        "token": statement.poller.poll_token,
        "key": statement.poller.public_key,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.provisioning.killed", json.dumps(members)],
        cwd=ROOT,
        env=child_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
