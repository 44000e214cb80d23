"""Whatever is lost on the way, and wherever the device dies: there is one secret, and the device ends with it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from itertools import count
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_portal import SECRET, FakePortal
from gangway_device import Network, Pace, Provisioner, Store, sealing

PACE = Pace(base=0.001, cap=0.002)
AT_ONCE = 50


@pytest.fixture
def quick(monkeypatch):
    """Thousands of devices: they need no lasting files, and httpx need not look for trio with every request."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setitem(sys.modules, "trio", None)


def provisioner(store, portal, network, kind, serial="A1", **more):
    return Provisioner(
        store, portal=portal.url, serial_number=serial, network=network, pace=PACE, hand_over=kind, **more
    )


async def test_a_cut_at_any_byte_costs_one_more_poll(tmp_path, network, quick):
    async with FakePortal() as portal:
        portal.let_everybody_in = True
        limit = asyncio.Semaphore(AT_ONCE)

        async def provision(offset):
            serial = f"C-{offset:05}"
            store = Store(tmp_path / f"{serial}.json")
            async with limit:
                credentials = await provisioner(store, portal, network, "sealed", serial).run()
            assert credentials.device_secret == SECRET and credentials.confirmed and store.load() == credentials

        await provision(0)
        length = portal.handed_over_bytes
        for offset in range(1, length):
            portal.cuts[f"C-{offset:05}"] = [offset]
        await asyncio.gather(*(provision(offset) for offset in range(1, length)))

    assert length > 500 and not any(portal.cuts.values())
    assert all(enrolment.made == 1 and enrolment.confirmed for enrolment in portal.enrolments.values())
    # All but the first were answered twice, with identical bytes.
    assert len(portal.delivered) == 2 * length - 1 and len(set(portal.delivered)) == length


@pytest.mark.parametrize(("kind", "says_length"), [("sealed", False), ("token", True)])
async def test_no_number_of_cuts_wears_it_out(kind, says_length, tmp_path, network, quick):
    """Every offset in turn, in one life; also where nothing but the end of the connection ends an answer."""
    async with FakePortal() as portal:
        portal.let_everybody_in, portal.says_length = True, says_length
        await provisioner(Store(tmp_path / "B2.json"), portal, network, kind, "B2").run()
        length = portal.handed_over_bytes
        portal.cuts["A1"] = list(range(length))
        credentials = await provisioner(Store(tmp_path / "A1.json"), portal, network, kind, "A1").run()

    assert credentials.device_secret == SECRET and credentials.confirmed and portal.enrolments["A1"].made == 1
    assert len(portal.delivered) == length + 2 and len(set(portal.delivered)) == 2


class Killed(BaseException):
    """The process is dead: nothing that would notice is run."""


class Death:
    """Kills the device at its step number `at`. A step is a call that the world or the disk notices, or its return."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._steps = 0

    @property
    def came(self) -> bool:
        return self._steps >= self._at

    def step(self) -> None:
        # After its death the process takes no step either: not in `finally`, not in `except`.
        self._steps += 1
        if self.came:
            raise Killed

    def around(self, function):
        def stepping(*arguments, **options):
            self.step()
            result = function(*arguments, **options)
            self.step()
            return result

        return stepping

    def around_coroutine(self, function):
        async def stepping(*arguments, **options):
            self.step()
            result = await function(*arguments, **options)
            self.step()
            return result

        return stepping

    def writing(self, file, *arguments):
        opened = self._fdopen(file, *arguments)
        write = opened.write

        def half(content):
            write(content[: len(content) // 2])
            opened.flush()
            self.step()
            return write(content[len(content) // 2 :])

        return _Writing(opened, half)

    def stalk(self, monkeypatch) -> None:
        self._fdopen = os.fdopen
        monkeypatch.setattr(os, "fdopen", self.writing)
        for name in ("mkdir", "open", "fchmod", "fsync", "replace", "unlink"):
            monkeypatch.setattr(os, name, self.around(getattr(os, name)))
        for name in ("make_private_key", "open_sealed"):
            monkeypatch.setattr(sealing, name, self.around(getattr(sealing, name)))
        monkeypatch.setattr(httpx.AsyncClient, "post", self.around_coroutine(httpx.AsyncClient.post))


class _Writing:
    def __init__(self, file, write) -> None:
        self._file = file
        self.write = write

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._file.close()


async def live_and_die(store, portal, network, kind, shows_code, at) -> bool:
    """Run the device until its step `at`; whether it died there, and was not done before."""
    death = Death(at)
    on_code = (lambda code: portal.unlock("A1")) if shows_code else None
    with pytest.MonkeyPatch.context() as patched:
        death.stalk(patched)
        try:
            await provisioner(store, portal, network, kind, on_code=on_code).run()
        except Killed:
            return True
    return False


async def provisioned_in_spite_of(deaths, network, kind, shows_code) -> bool:
    """Kill a new device at the given steps, one life after another, then let it live. Whether it died every time."""
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory) / "state" / "A1.json")
        async with FakePortal() as portal:
            portal.let_everybody_in = not shows_code
            died = [await live_and_die(store, portal, network, kind, shows_code, at) for at in deaths]
            on_code = (lambda code: portal.unlock("A1")) if shows_code else None
            credentials = await provisioner(store, portal, network, kind, on_code=on_code).run()

        assert credentials.device_secret == SECRET and credentials.confirmed and store.load() == credentials
        enrolment = portal.enrolments["A1"]
        assert enrolment.made == 1 and enrolment.confirmed and len(set(portal.delivered)) == 1
        # No request ever came from another key: the portal would take it for a rival.
        assert len({(body.get("publicKey"), body.get("pollToken")) for body in bodies(portal)}) == 1
        # And nothing of it is left, neither in the file nor beside it.
        assert "privateKey" not in store.path.read_text()
        assert sorted(path.name for path in store.path.parent.iterdir()) == ["A1.json", "A1.json.lock"]
    return all(died)


def bodies(portal):
    return [request.body for request in portal.requests if request.body]


@pytest.mark.parametrize(("kind", "shows_code"), [("sealed", True), ("sealed", False), ("token", False)])
async def test_a_kill_at_any_step_changes_nothing(kind, shows_code, network, quick):
    for at in count(1):
        if not await provisioned_in_spite_of([at], network, kind, shows_code):
            break
    assert at > 50


@settings(max_examples=25)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=6), st.sampled_from(["sealed", "token"]), st.booleans())
def test_many_kills_change_nothing(deaths, kind, shows_code):
    asyncio.run(provisioned_in_spite_of(deaths, Network(), kind, shows_code))


async def test_a_kill_while_the_portal_is_cut_off_changes_nothing(network, tmp_path, monkeypatch):
    """The hand-over breaks off, and the device dies before it can ask again."""
    async with FakePortal() as portal:
        portal.let_everybody_in = True
        portal.cuts["A1"] = [200]
        store = Store(tmp_path / "A1.json")
        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "sleep", die)
            with pytest.raises(Killed):
                await provisioner(store, portal, network, "sealed").run()
        credentials = await provisioner(store, portal, network, "sealed").run()
    assert credentials.device_secret == SECRET
    assert len(portal.delivered) == 2 and len(set(portal.delivered)) == 1


async def die(seconds):
    raise Killed
