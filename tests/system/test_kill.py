"""Shows 5: any process of `make run` may be killed at any moment. What was answered stays true, and nothing is doubled.

A small fleet comes aboard and reports, in threads, while processes are killed. Each device notes what it was told; in
the end that is compared with what the portal has.
"""

import json
import random
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from portal.lib.tokens import digest
from tests.live import Socket, basic

THREADS = 10
REPORTS = 8
PATIENCE = 90
KILLS = ["daphne", "redis", "celery", "launcher", "daphne", "beat"]
LIMITS = {
    "POLL_MINIMUM_INTERVAL": "0",
    "ENROLMENTS_PER_MINUTE": "100000",
    "CODE_ENTRIES_PER_MINUTE": "100000",
    "DEVICE_MISSES_PER_MINUTE": "100000",
}
_DUMP = """
import json
from devices.models import Device
from twins.models import Twin
rows = {}
for device in Device.objects.prefetch_related("credentials", "enrolments"):
    twin = Twin.objects.get(device=device)
    rows.setdefault(device.serial_number, []).append({
        "id": str(device.public_id), "state": device.state,
        "digests": [row.digest for row in device.credentials.all()],
        "live": sum(row.revoked_at is None for row in device.credentials.all()),
        "enrolments": [row.state for row in device.enrolments.all()],
        "version": twin.reported_version, "reported": twin.reported,
    })
print(json.dumps(rows))
"""


class GaveUp(Exception):
    """The time is over and the device was not done."""


@dataclass
class Told:
    """What a device and its person were told by answers that arrived."""

    serial: str
    claimed: str = ""
    secret: str = ""
    device_id: str = ""
    lost: bool = False
    acknowledged: dict = field(default_factory=dict)
    refused: list = field(default_factory=list)


class Aboard:
    """One device on its way, as often as it takes."""

    def __init__(self, portal, token, client, deadline):
        self.portal, self.client, self.deadline = portal, client, deadline
        self.headers = {"Authorization": f"Bearer {token}"}
        self.told = Told(f"KILL-{secrets.token_hex(6)}")

    def run(self):
        self._ask_for_a_code()
        self._be_let_in()
        self._collect()
        if self.told.secret:
            self._report()
        return self.told

    def _post(self, path, body, **headers):
        """The answer, or None when none came or the portal was not at work."""
        if time.monotonic() > self.deadline:
            raise GaveUp(self.told)
        try:
            answer = self.client.post(f"{self.portal.url}/api/v1/{path}", json=body, headers=headers, timeout=20)
        except httpx.TransportError:
            time.sleep(0.05)
            return None
        return answer if answer.status_code < 500 else None

    def _ask_for_a_code(self):
        self.code = ""
        while True:
            answer = self._post("provisioning/codes", {"serialNumber": self.told.serial})
            if answer is not None:
                # 429: earlier answers were lost.
                assert answer.status_code in (201, 429), answer.text
                self.code = answer.json().get("provisioningCode", "")
                return

    def _be_let_in(self):
        """By its code, or where that was lost by its serial number."""
        by = {"provisioningCode": self.code} if self.code else {"serialNumber": self.told.serial}
        while True:
            answer = self._post("claims", by, **self.headers)
            if answer is None:
                continue
            if answer.status_code == 201:
                self.told.claimed = answer.json()["id"]
                return
            # It was let in by a request whose answer was lost.
            assert answer.json()["code"] in ("code-not-usable", "serial-not-waiting", "serial-in-use"), answer.text
            return

    def _collect(self):
        while True:
            answer = self._post("provisioning/poll", {"serialNumber": self.told.serial}, Prefer="wait=5")
            if answer is None or answer.status_code == 202:
                continue
            if answer.status_code == 200:
                self.told.secret, self.told.device_id = answer.json()["deviceSecret"], answer.json()["deviceId"]
            else:
                assert answer.json()["code"] == "already-provisioned", answer.text
                self.told.lost = True
            return

    def _report(self):
        while len(self.told.acknowledged) < REPORTS:
            if time.monotonic() > self.deadline:
                raise GaveUp(self.told)
            try:
                self._report_on_a_connection()
            except InvalidStatus as refusal:
                if refusal.response.status_code in (401, 403):
                    self.told.refused.append(refusal.response.status_code)
                time.sleep(0.05)
            except (OSError, WebSocketException, EOFError):
                time.sleep(0.05)

    def _report_on_a_connection(self):
        header = {"Authorization": basic(self.told.device_id, self.told.secret)}
        url = f"ws{self.portal.url.removeprefix('http')}/hub/v1"
        with connect(url, additional_headers=header, open_timeout=10, close_timeout=1, compression=None) as connection:
            socket = Socket(connection)
            socket.hello()
            while len(self.told.acknowledged) < REPORTS:
                number = len(self.told.acknowledged)
                answer = socket.ask("report", id=str(number), patch={f"n{number}": number})
                if answer["type"] == "reported":
                    self.told.acknowledged[number] = answer["version"]


@pytest.fixture
def portal(portal_factory):
    portal = portal_factory(**LIMITS)
    portal.start()
    return portal


def test_nothing_that_was_answered_is_lost_or_doubled_when_processes_are_killed(portal):
    token = portal.manage("createtoken", "--user", "admin").strip()
    stop, deadline = threading.Event(), time.monotonic() + PATIENCE
    chance = random.Random(5)  # noqa: S311  the moments of the kills
    aboard = []

    def thread(client):
        while not stop.is_set():
            aboard.append(Aboard(portal, token, client, deadline).run())

    with httpx.Client(limits=httpx.Limits(max_connections=None)) as client, ThreadPoolExecutor(THREADS) as fleet:
        threads = [fleet.submit(thread, client) for _ in range(THREADS)]
        try:
            for name in KILLS:
                _until_more_came(aboard, threads, chance.randrange(1, 6), deadline)
                portal.wait_for(lambda name=name: name == "launcher" or name in portal.children(), name)
                portal.kill(name)
                if name == "launcher":
                    portal.start()
                portal.wait_for(portal.answers, "an answer")
            _until_more_came(aboard, threads, 5, deadline)
        finally:
            stop.set()
        for ended in threads:
            ended.result()

    portal.wait_for(portal.answers, "an answer")
    _compare(aboard, json.loads(portal.manage("shell", "--no-imports", "-c", _DUMP)))
    _authenticate(portal, [told for told in aboard if told.secret][-10:])


def _until_more_came(aboard, threads, number, deadline):
    """So that each kill meets devices on all parts of the way."""
    goal = len(aboard) + number
    while len(aboard) < goal:
        for ended in threads:
            if ended.done():
                ended.result()
        assert time.monotonic() < deadline, f"{len(aboard)} of {goal} came aboard"
        time.sleep(0.02)


def _compare(aboard, stored):
    assert len(aboard) >= THREADS
    assert {told.serial for told in aboard} == set(stored)
    for told in aboard:
        (device,) = stored[told.serial]
        assert device["state"] == "active", told
        # A claim that was answered is this one.
        assert told.claimed in ("", device["id"]), told
        # One hand-over, whether or not its answer arrived.
        assert len(device["digests"]) == device["live"] == 1, (told, device)
        assert device["enrolments"] in (["delivered"], ["confirmed"]), device
        assert told.secret or told.lost
        if told.secret:
            assert told.device_id == device["id"]
            assert device["digests"] == [digest(told.secret)]
        # What was acknowledged is there, in the version that was named or a later one.
        versions = list(told.acknowledged.values())
        assert versions == sorted(versions)
        assert device["version"] >= max(versions, default=0)
        for number in told.acknowledged:
            assert device["reported"][f"n{number}"] == number, told
        # A device with the right credentials was never told that they are wrong.
        assert told.refused == [], told


def _authenticate(portal, aboard):
    for told in aboard:
        header = {"Authorization": basic(told.device_id, told.secret)}
        with connect(f"ws{portal.url.removeprefix('http')}/hub/v1", additional_headers=header) as connection:
            assert Socket(connection).hello()["deviceId"] == told.device_id
