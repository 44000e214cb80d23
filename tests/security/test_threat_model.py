"""docs/threat-model.md: every test it names is there, and every mitigation has one, or a reason why not."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:sdk/)?tests/[\w/]+\.py)::(\w+)`")

RFC_8628 = ["5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7"]
RFC_10027 = [
    "Establish proximity",
    "Short-lived codes",
    "One-time codes",
    "Unique codes",
    "Content filtering",
    "Detect and remediate",
    "Trusted devices",
    "Trusted networks",
    "Limited scopes",
    "Short-lived tokens",
    "Rate limits",
    "Sender-constrained tokens",
    "User education",
    "User experience",
    "Authenticate, then initiate",
    "Request initiation verification",
    "Request binding with out-of-band data",
]


def chapter(title):
    """What stands below a heading of the second level, by its headings of the third."""
    body = TEXT.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    return dict(part.split("\n", 1) for part in body.split("\n### ")[1:])


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED.findall(TEXT))))
def test_every_test_that_is_named_is_there(file, name):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in functions


def test_every_consideration_of_rfc_8628_is_there_with_a_test():
    sections = chapter("RFC 8628, section 5")
    assert [title.split()[0] for title in sections] == RFC_8628
    assert all(NAMED.search(text) for text in sections.values())


def test_every_mitigation_of_rfc_10027_is_there_with_a_test_or_says_why_not():
    sections = chapter("RFC 10027")
    assert list(sections) == RFC_10027
    for title, text in sections.items():
        assert NAMED.search(text) or "No test" in text, title


def test_the_numbers_of_the_budget_are_those_of_the_code():
    from provisioning import budget

    assert (budget.PEOPLE_SHARE, budget.DEVICE_SHARE) == (0.7, 0.2)
    assert (budget.USER_SHARE, budget.TENANT_SHARE) == (0.1, 0.5)
    assert (budget.STEP_UP_AT, budget.SLOW_AT) == (0.5, 0.75)
    assert (budget.FREE_WRONG, budget.RIGHT_FOR_ONE, budget.FREE_MOST) == (10, 10, 35)
    assert budget.LONGEST_WAIT == 3600
    assert budget.allowed_wrong(10_000, 1e-4) + 1 == 9
