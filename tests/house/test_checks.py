"""System checks: each id, found and not found."""

import re
from pathlib import Path

import pytest
from django.core.checks import run_checks

CASES = [
    ("portal.E001", {"SECRET_KEY": "short"}),
    ("portal.E001", {"SECRET_KEY": ""}),
    ("portal.E002", {"PUBLIC_URL": "portal.example"}),
    ("portal.E002", {"PUBLIC_URL": "https://portal.example/path"}),
    ("portal.E002", {"PUBLIC_URL": "ftp://portal.example"}),
    ("portal.W001", {"HUB_COMPARE_INTERVAL": 3600, "HUB_OFFLINE_AFTER": 5}),
    ("portal.E003", {"ALLOWED_HOSTS": ["*"]}),
    ("portal.E004", {"PROVISIONING_CODE_LIFETIME": 3600, "ENROLMENT_LIFETIME": 3600}),
    ("portal.E005", {"METRICS_TOKEN": "short"}),
]


def found():
    return [message.id for message in run_checks(include_deployment_checks=True) if message.id.startswith("portal.")]


def test_the_defaults_are_in_order():
    assert found() == []


@pytest.mark.parametrize(("check", "values"), CASES)
def test_a_check_finds_what_it_is_for(settings, check, values):
    for name, value in values.items():
        setattr(settings, name, value)
    assert found() == [check]


def test_every_check_has_a_case():
    source = (Path(__file__).resolve().parents[2] / "portal/checks.py").read_text(encoding="utf-8")
    assert set(re.findall(r"portal\.[EW]\d{3}", source)) == {check for check, _ in CASES}
