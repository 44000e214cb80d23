"""The walk-through of docs/device-protocol.md, typed line by line against a running portal."""

import json
import os
import queue
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from portal.launch.process import die_with

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30
# What is different each time. Members not named here have to be as printed.
CHANGING = {
    "createdAt", "deviceId", "deviceSecret", "expiresAt", "generation", "hubUrl", "id", "instance", "metadata",
    "portalUrl", "provisioningCode", "requestId", "sessionId", "tenantId", "time", "type", "verificationUri",
    "verificationUriComplete",
}  # fmt: skip
_END = "--end-of-block--"
# What the reader is told to put in: from which member of an earlier answer.
_PUT_IN = {"CODE": "provisioningCode", "DEVICE": "deviceId", "SECRET": "deviceSecret"}


class Shell:
    """A shell that stays open, as the reader's does."""

    def __init__(self, environment):
        self._process = subprocess.Popen(
            ["bash"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line)

    def type(self, text):
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def run(self, block):
        self.type(f"{block}\necho; echo {_END}")

    def answer(self):
        """What the block printed, once it is through."""
        printed = ""
        while _END not in (line := self._lines.get(timeout=PATIENCE)):
            printed += line
        return json.loads(printed)

    def frame(self):
        """The next frame the WebSocket client shows, among its movements of the cursor."""
        while True:
            if match := re.search(r"< (\{.*\})", self._lines.get(timeout=PATIENCE)):
                return json.loads(match[1])

    def says(self, text):
        """Whether this comes. Nothing may be typed meanwhile: a client that is about to end would swallow it."""
        while text not in self._lines.get(timeout=PATIENCE):
            pass
        return True

    def close(self):
        # With whatever it is still running.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        self._process.stdin.close()


def _blocks():
    page = (ROOT / "docs" / "device-protocol.md").read_text(encoding="utf-8")
    section = page.partition("## By hand, with curl and websockets")[2]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def _assert_alike(real, printed, *, is_frame=False):
    assert real.keys() == printed.keys()
    fixed = printed.keys() - CHANGING | ({"type", "id"} & printed.keys() if is_frame else set())
    assert {name: real[name] for name in fixed} == {name: printed[name] for name in fixed}


@pytest.fixture
def shells(launched_portal):
    opened = {name: Shell(launched_portal.env) for name in ("device", "person")}
    yield opened
    for shell in opened.values():
        shell.close()


@pytest.mark.once
def test_the_walk_through_works_as_printed(launched_portal, shells):
    known, waiting = {}, []
    for kind, text in _blocks():
        text = text.replace("http://127.0.0.1:8000", launched_portal.url).replace(
            "127.0.0.1:8000", f"127.0.0.1:{launched_portal.port}"
        )
        if kind == "sh":
            for name, member in _PUT_IN.items():
                text = re.sub(rf"^{name}=.*$", lambda _, name=name, m=member: f"{name}={known[m]}", text, flags=re.M)
            shell = shells[re.match(r"# the (\w+)'s shell", text)[1]]
            if "-m websockets" in text:
                shell.type(text.rstrip())
            else:
                # Nobody types two polls within a second; the portal would refuse the second.
                time.sleep(1.1)
                shell.run(text)
                waiting.append(shell)
        elif kind == "json":
            # A poll that is held is answered after what was typed later.
            answer = waiting.pop().answer()
            known.update(answer)
            _assert_alike(answer, json.loads(text))
        else:
            for mark, frame in re.findall(r"^([<>]) (.*)$", text, re.MULTILINE):
                if mark == ">":
                    shells["device"].type(frame)
                else:
                    _assert_alike(shells["device"].frame(), json.loads(frame), is_frame=True)

    assert waiting == []
    assert shells["device"].says("Connection closed: 4401 (private use).")
