"""Documents that must agree with the source."""

import re
from pathlib import Path

from portal.public import vocabulary
from provisioning.states import CODE_MOVES, ENROLMENT_MOVES, CodeState, EnrolmentState
from tests.house.drawn import PAGE, redrawn

ROOT = Path(__file__).resolve().parents[2]


def rows(path):
    """The tables of a page, as lists of cells."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_every_error_is_documented_with_its_status_and_close_code():
    documented = {
        row[0].strip("`"): (row[1], row[2])
        for row in rows("docs/errors.md")
        if row[0].startswith("`") and len(row) == 5
    }
    assert documented == {kind.code: (str(kind.status), str(kind.ws_code or "")) for kind in vocabulary()}
    assert all(row[3] and row[4] for row in rows("docs/errors.md"))


def test_every_error_has_a_code_and_a_title_of_its_own():
    kinds = list(vocabulary())
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
        assert kind.title and not kind.title.endswith(".")
        assert 400 <= kind.status < 600
        # Other close codes cannot be sent by every server.
        assert kind.ws_code is None or 4400 <= kind.ws_code < 4600


def test_every_close_code_is_in_the_protocol():
    documented = {int(code) for row in rows("docs/device-protocol.md") for code in re.findall(r"\b\d{4}\b", row[0])}
    assert {kind.ws_code for kind in vocabulary() if kind.ws_code} <= documented


def test_every_problem_the_protocol_names_exists():
    text = (ROOT / "docs/device-protocol.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:4\d\d|5\d\d) ([a-z-]+)`", text))
    assert named and named <= {kind.code for kind in vocabulary()}


def test_the_states_are_drawn_from_the_source():
    text = PAGE.read_text(encoding="utf-8")
    assert text == redrawn(text), "run: python -m tests.house.drawn"


def test_every_state_can_be_reached():
    for states, moves, start in (
        (EnrolmentState, ENROLMENT_MOVES, EnrolmentState.WAITING),
        (CodeState, CODE_MOVES, CodeState.ISSUED),
    ):
        assert {end for _, end in moves} | {start} == set(states)
        assert start not in {end for _, end in moves}
