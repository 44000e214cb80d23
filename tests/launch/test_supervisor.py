"""How single processes are kept running and stopped."""

import asyncio
import os
import sys
import time

import pytest

from portal.launch.errors import FAILED, LaunchError
from portal.launch.process import Child
from portal.launch.readiness import until_answering
from portal.launch.supervisor import Supervisor
from tests.servers import free_port

pytestmark = pytest.mark.once

STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


def child(tmp_path, name, source, *arguments):
    return Child(name, (sys.executable, "-c", source, *map(str, arguments)), os.environ, tmp_path)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_child_that_ends_is_started_again_with_growing_pauses(tmp_path, capfd):
    supervisor = Supervisor()
    keeper = supervisor.keep(child(tmp_path, "short", "raise SystemExit(3)"))
    await until(lambda: keeper.deaths == 2)
    await supervisor.stop()
    assert capfd.readouterr().err.splitlines() == [
        "gangway: short ended with status 3; starting it again in 1 s.",
        "gangway: short ended with status 3; starting it again in 2 s.",
    ]


async def test_a_program_that_is_missing_is_reported_and_tried_again(tmp_path, capfd):
    supervisor = Supervisor()
    keeper = supervisor.keep(Child("missing", ("/nowhere/at/all",), os.environ, tmp_path))
    await until(lambda: keeper.deaths)
    await supervisor.stop()
    assert "missing cannot be started (No such file or directory); starting it again in 1 s." in capfd.readouterr().err


async def test_children_are_stopped_in_the_opposite_order_of_their_start(tmp_path):
    source = """
import pathlib, signal, sys, time
def end(*_):
    with open("ends", "a") as file:
        file.write(sys.argv[1])
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
    supervisor = Supervisor()
    for name in "abc":
        supervisor.keep(child(tmp_path, name, source, name))
        await until((tmp_path / name).exists)
    await supervisor.stop()
    assert (tmp_path / "ends").read_text() == "cba"


async def test_a_second_request_does_not_wait_for_a_stubborn_child(tmp_path):
    supervisor = Supervisor()
    supervisor.keep(child(tmp_path, "stubborn", STUBBORN, tmp_path / "ready"))
    await until((tmp_path / "ready").exists)
    stopping = asyncio.create_task(supervisor.stop())
    done, _ = await asyncio.wait({stopping}, timeout=0.5)
    assert not done
    started = time.monotonic()
    supervisor.kill()
    await stopping
    assert time.monotonic() - started < 2


async def test_what_a_killed_child_had_started_does_not_outlive_it(tmp_path):
    source = f"""
import os, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(tmp_path / "grandchild")!r}, "w").write(str(grandchild.pid))
os.kill(os.getpid(), 9)
"""
    supervisor = Supervisor()
    keeper = supervisor.keep(child(tmp_path, "parent", source))
    await until(lambda: keeper.deaths)
    await supervisor.stop()
    pid = int((tmp_path / "grandchild").read_text())
    await until(lambda: not _runs(pid))


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_web_server_that_cannot_stay_up_ends_the_start(tmp_path):
    supervisor = Supervisor()
    keeper = supervisor.keep(child(tmp_path, "daphne", "raise SystemExit(1)"))
    with pytest.raises(LaunchError, match="does not stay up") as caught:
        await until_answering("127.0.0.1", free_port(), "localhost", keeper)
    assert caught.value.status == FAILED
    await supervisor.stop()
