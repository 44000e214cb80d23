"""docs/configuration.md names every variable and every system check, and none that does not exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
_READ = re.compile(
    r"(?:env|environment|Environment\(\))\.(text|secret|integer|fraction|boolean|choice|items)\(\s*\"([A-Z_]+)\""
)


def _variables():
    sources = [ROOT / "portal" / "settings.py", *(ROOT / "portal" / "launch").glob("*.py")]
    sources += (ROOT / "portal" / "management" / "commands").glob("*.py")
    return {
        name: kind for source in sources for kind, name in _READ.findall(source.read_text(encoding="utf-8"))
    }  # fmt: skip


def test_every_variable_is_explained_and_no_other():
    rows = set(re.findall(r"^\| `([A-Z_]+)`", PAGE, re.MULTILINE))

    assert rows == set(_variables())


def test_the_ones_that_may_be_files_are_marked():
    marked = set(re.findall(r"^\| `([A-Z_]+)` \*\*F\*\*", PAGE, re.MULTILINE))

    assert marked == {name for name, kind in _variables().items() if kind == "secret"}


def test_every_default_is_the_one_in_the_settings():
    settings = (ROOT / "portal" / "settings.py").read_text(encoding="utf-8")
    defaults = re.findall(r"env\.integer\(\s*\"([A-Z_]+)\", ([0-9_ *]+)", settings)
    assert defaults

    for name, expression in defaults:
        value = 1
        for factor in expression.split("*"):
            value *= int(factor)
        assert re.search(rf"^\| `{name}` \| {value} \|", PAGE, re.MULTILINE), name


def test_every_system_check_is_explained():
    source = (ROOT / "portal" / "checks.py").read_text(encoding="utf-8")

    assert set(re.findall(r"portal\.[EW]\d{3}", source)) == set(
        re.findall(r"^\| `(portal\.[EW]\d{3})`", PAGE, re.MULTILINE)
    )
