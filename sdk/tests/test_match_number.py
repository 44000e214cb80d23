from __future__ import annotations

import asyncio

import pytest

from fake_hub import eventually
from gangway_device import Provisioner


@pytest.fixture
def make(store, portal, network, pace):
    def make(**overrides):
        return Provisioner(store, portal=portal.url, serial_number="A1", network=network, pace=pace, **overrides)

    return make


@pytest.mark.parametrize("kind", ["plain function", "coroutine function"])
async def test_it_shows_each_match_number_once(kind, make, portal):
    shown = []

    async def show(number):
        shown.append(number)

    task = asyncio.create_task(make(on_match_number=show if kind == "coroutine function" else shown.append).run())
    await eventually(lambda: portal.made("poll"))
    for number in ("07", "42"):
        portal.enrolments["A1"].match_number = number
        polls = len(portal.made("poll"))
        await eventually(lambda: len(portal.made("poll")) > polls + 3)  # noqa: B023
    portal.unlock("A1")
    await task
    assert shown == ["07", "42"]


@pytest.mark.parametrize("value", ["", "4\x1b[2J", "x", "٤٢", 42, None, ["42"], "1" * 9])
async def test_what_is_no_match_number_is_not_shown(value, make, portal):
    portal.let_everybody_in = True
    portal.faults["poll"].append((202, {}, {"status": "pending", "pollAfter": 0, "matchNumber": value}))
    shown = []
    await make(on_match_number=shown.append).run()
    assert shown == []


async def test_a_match_number_without_a_display_is_no_error(make, portal):
    portal.let_everybody_in = True
    portal.faults["poll"].append((202, {}, {"status": "pending", "pollAfter": 0, "matchNumber": "42"}))
    await make().run()
