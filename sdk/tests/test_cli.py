from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from fake_hub import eventually
from fake_portal import SECRET, problem
from gangway_device import Store
from gangway_device.cli import main
from gangway_device.cli.options import state_file


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("GANGWAY_TOKEN", raising=False)
    return tmp_path / "gangway-device"


class Command:
    """The command line in a process of its own, as signals and exit codes need it."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments

    async def __aenter__(self) -> Command:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gangway_device",
            *self._arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def until(self, text: str) -> str:
        async with asyncio.timeout(10):
            lines = ""
            while text not in lines:
                line = await self.process.stdout.readline()
                assert line, (await self.process.stderr.read()).decode()
                lines += line.decode()
        return lines

    async def end(self) -> tuple[int, str, str]:
        async with asyncio.timeout(10):
            out, err = await self.process.communicate()
        return self.process.returncode, out.decode(), err.decode()


async def test_provision_shows_the_code_and_no_secret(portal, home):
    async with Command("provision", "--portal", portal.url, "--serial", "A/1", "--attribute", "a=b", "--qr") as command:
        shown = await command.until("Waiting")
        portal.unlock("A/1")
        code, out, err = await command.end()
    assert (code, err) == (0, "")
    assert "K 7 M   2" in shown and "/claim" in shown and "█" in shown
    assert "Provisioned:" in out and SECRET not in shown + out
    assert (home / "A%2F1.json").exists()
    assert portal.requests[0].body["attributes"] == {"a": "b"}


async def test_provision_is_idempotent_and_may_be_plain(portal, home):
    arguments = ("provision", "--portal", portal.url, "--serial", "A1", "--plain")
    async with Command(*arguments) as command:
        assert (await command.until("/claim")).startswith("K7M 2")
        portal.unlock("A1")
        assert (await command.end())[0] == 0
    async with Command(*arguments) as command:
        code, out, _ = await command.end()
    assert code == 0 and "provisioned before" in out


async def test_provision_shows_the_match_number_once(portal):
    portal.faults["poll"].extend([(202, {}, {"status": "pending", "pollAfter": 0, "matchNumber": "42"})] * 3)
    async with Command("provision", "--portal", portal.url, "--serial", "A1") as command:
        shown = await command.until("Tell the person who lets the device in: 42")
        portal.unlock("A1")
        _, out, err = await command.end()
    assert "│    4 2    │" in shown and "42" not in out and err == ""


async def test_the_hand_over_is_sealed_unless_a_token_is_asked_for(portal, home):
    portal.let_everybody_in = True
    for serial, more in (("A1", ()), ("B2", ("--hand-over", "token"))):
        async with Command("provision", "--portal", portal.url, "--serial", serial, *more) as command:
            assert (await command.end())[0] == 0
    sealed, token = portal.enrolments["A1"].binding, portal.enrolments["B2"].binding
    assert sealed[0] and sealed[1] is None and token[0] is None and token[1]


async def test_a_killed_process_loses_nothing(portal, home):
    portal.let_everybody_in = True
    portal.cuts["A1"] = [300]
    portal.faults["poll"].extend([problem(429, "too-many-requests", "0"), None, problem(429, "slow-down", "60")])
    arguments = ("provision", "--portal", portal.url, "--serial", "A1")
    async with Command(*arguments) as command:
        await eventually(lambda: len(portal.made("poll")) == 3)
        command.process.kill()
    async with Command(*arguments) as command:
        assert (await command.end())[0] == 0
    assert len(portal.delivered) == 2 and len(set(portal.delivered)) == 1
    assert Store(home / "A1.json").load_credentials().device_secret == SECRET


def test_an_address_without_scheme_is_wrong_usage(capsys):
    assert main(["provision", "--portal", "portal.example", "--serial", "A1"]) == 2
    assert "https://portal.example" in capsys.readouterr().err


def test_an_attribute_without_value_is_wrong_usage(capsys):
    assert main(["provision", "--portal", "http://h", "--serial", "A1", "--attribute", "x"]) == 2
    assert "NAME=VALUE" in capsys.readouterr().err


def test_an_unreachable_portal_is_told_apart(capsys):
    assert main(["provision", "--portal", "http://127.0.0.1:9", "--serial", "A1", "--timeout", "0.05"]) == 3
    assert "Traceback" not in capsys.readouterr().err


async def test_status_asks_the_hub(aboard, hub, capsys):
    assert await asyncio.to_thread(main, ["status", "--state", str(aboard.path)]) == 0
    out = capsys.readouterr().out
    assert "accepts" in out and SECRET not in out
    hub.upgrade_answers.append((401, {}))
    assert await asyncio.to_thread(main, ["status", "--state", str(aboard.path)]) == 1
    await hub.stop()
    assert await asyncio.to_thread(main, ["status", "--state", str(aboard.path), "--timeout", "0.05"]) == 3


async def test_status_does_not_push_a_running_device_out(aboard, hub, capsys):
    with aboard.lock():
        assert await asyncio.to_thread(main, ["status", "--state", str(aboard.path)]) == 0
    assert "another process" in capsys.readouterr().out and hub.frames == []


def test_status_of_nothing(tmp_path, capsys):
    assert main(["status", "--state", str(tmp_path / "none.json")]) == 1
    assert main(["status"]) == 2
    assert "name one with --state" in capsys.readouterr().err


def test_an_exposed_state_file_is_one_sentence(aboard, capsys):
    aboard.path.chmod(0o644)
    assert main(["status", "--state", str(aboard.path)]) == 1
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_run_reports_prints_and_ends_cleanly(number, expected, aboard, hub, home):
    aboard.path.rename(state_file(aboard.path.parent, "only"))
    os.symlink(aboard.path.parent, home)
    async with Command("run", "--report-interval", "0.05") as command:
        await command.until("desired version 3")
        await eventually(lambda: len(hub.received("report")) > 1 and hub.received("applied"))
        command.process.send_signal(number)
        code, _, err = await command.end()
    assert (code, err) == (expected, "")
    assert hub.reported["hostname"] and hub.reported["python"]


async def test_run_says_why_it_stops(aboard, hub):
    hub.close_instead_of_welcome.append(4409)
    async with Command("run", "--state", str(aboard.path)) as command:
        code, _, err = await command.end()
    assert code == 1 and "took over" in err and err.count("\n") == 1


async def test_simulate_claims_and_runs_a_fleet(portal, hub, tmp_path):
    portal.hub_url = hub.url
    arguments = ["simulate", "--portal", portal.url, "--devices", "5", "--token", "gwa_token", "--connect-rate", "500"]
    more = ["--report-interval", "0.05", "--state-dir", str(tmp_path / "fleet")]
    async with Command(*arguments, *more) as command:
        await eventually(lambda: len(hub.received("applied")) == 5 and "temperature" in hub.reported)
        command.process.send_signal(signal.SIGTERM)
        code, _, err = await command.end()
    assert (code, err) == (0, "")
    assert hub.reported["settings"] == {"interval": 5} and hub.reported["firmware"]
    assert all(enrolment.binding[0] and enrolment.confirmed for enrolment in portal.enrolments.values())
    assert Store(tmp_path / "fleet" / "SIM-00005.json").load_credentials()


async def test_simulate_ends_after_its_duration(portal):
    async with Command("simulate", "--portal", portal.url, "--devices", "3", "--duration", "0.01") as command:
        code, out, _ = await command.end()
    assert code == 0 and "0/3 provisioned" in out


async def test_simulate_without_a_token_waits_for_a_person(portal):
    async with Command("simulate", "--portal", portal.url, "--devices", "1", "--prefix", "X") as command:
        assert "X-00001: enter K7M 2" in await command.until("enter")
        command.process.send_signal(signal.SIGINT)
        assert (await command.end())[0] == 130
