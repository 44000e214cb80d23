"""GET /metrics: for those who know the token, and cheap."""

import re

import pytest
from django.core.checks import run_checks

from provisioning.services import guesses
from provisioning.services.guesses import check_entry, note_wrong
from tests.base import api_client, make_code, make_statement, poll, unlock
from tests.provisioning.crowd import make_crowd

pytestmark = pytest.mark.django_db
TOKEN = "for-tests-only-0123456789"
_LINE = re.compile(r"(?:# (?:HELP|TYPE) gangway_[a-z_]+ .+|gangway_[a-z_]+(?:\{[a-z]+=\"[a-z-]+\"\})? [0-9.e+-]+)")


@pytest.fixture
def _token(settings):
    settings.METRICS_TOKEN = TOKEN
    guesses._live_codes.forget()


def get(**headers):
    return api_client(**headers).get("/metrics")


def values():
    answer = get(Authorization=f"Bearer {TOKEN}")
    assert answer.status_code == 200
    lines = answer.content.decode().splitlines()
    assert all(_LINE.fullmatch(line) for line in lines), lines
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_without_a_token_in_the_settings_there_is_no_such_page():
    assert get(Authorization="Bearer ").status_code == 404
    assert get().status_code == 404


@pytest.mark.usefixtures("_token")
@pytest.mark.parametrize("header", ["", f"Bearer {TOKEN}x", "Bearer", f"Basic {TOKEN}", TOKEN, "Bearer ümlaut"])
def test_nobody_reads_it_without_the_token(header):
    answer = get(Authorization=header)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert b"gangway_" not in answer.content


@pytest.mark.usefixtures("_token")
def test_the_numbers(cast):
    make_crowd(1_000)
    poll(make_statement())
    poll(statement := make_statement())
    unlock(statement, cast.tenant_a)
    for _ in range(2):
        note_wrong(check_entry(user_id=cast.bob.pk))
    numbers = values()
    assert numbers["gangway_live_codes"] == 1_000
    assert numbers['gangway_wrong_entries_today{kind="code"}'] == 2
    assert numbers["gangway_guess_hit_chance"] == pytest.approx(2_000 / 31**6, rel=1e-6)
    assert numbers["gangway_guess_hit_chance_wished"] == 1e-4
    stages = {name: value for name, value in numbers.items() if name.startswith("gangway_guess_stage")}
    assert stages.pop('gangway_guess_stage{stage="open"}') == 1
    assert list(stages.values()) == [0, 0, 0]
    assert numbers['gangway_enrolments{state="waiting"}'] == 1_001
    assert numbers['gangway_enrolments{state="unlocked"}'] == 1
    assert numbers['gangway_enrolments{state="delivered"}'] == 0


@pytest.mark.usefixtures("_token")
def test_a_portal_where_nothing_happened_has_all_the_series():
    assert set(values().values()) <= {0.0, 1.0, 1e-4}


@pytest.mark.usefixtures("_token")
def test_it_is_cheap_and_says_who_may_keep_it(cast, django_assert_max_num_queries):
    make_code()
    with django_assert_max_num_queries(5):
        answer = get(Authorization=f"Bearer {TOKEN}")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer["Cache-Control"] == "no-store"
    assert api_client(Authorization=f"Bearer {TOKEN}").post("/metrics").status_code == 405


def test_a_short_token_is_a_bad_configuration(settings):
    settings.METRICS_TOKEN = "short"
    assert "portal.E005" in {problem.id for problem in run_checks()}
    settings.METRICS_TOKEN = TOKEN
    assert "portal.E005" not in {problem.id for problem in run_checks()}
