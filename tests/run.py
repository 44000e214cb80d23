"""`make test`: starts the servers once, runs all tests in turn, and says how it went.

python -m tests.run            everything
python -m tests.run -k claims  the arguments go to each pytest
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests import chromium, environment
from tests.outcome import COUNTS_FILE
from tests.servers import postgres_server

ROOT = Path(__file__).resolve().parent.parent
_NOTHING_COLLECTED = 5
_COLOURS = {True: "\033[32m", False: "\033[31m"}


def main() -> int:
    """Returns 0 when every pass passed."""
    chromium.install()
    started = time.monotonic()
    with tempfile.NamedTemporaryFile(prefix="gangway-counts-") as counts, environment.shared():
        os.environ[COUNTS_FILE] = counts.name
        failed = [title for title, status in _passes() if status not in (0, _NOTHING_COLLECTED)]
        total = _total(Path(counts.name))
    _closing_line(total, failed, time.monotonic() - started)
    return 1 if failed or not total["passed"] else 0


def _passes() -> Iterator[tuple[str, int]]:
    yield "SQLite", _pytest("SQLite and a browser", "tests", "-n", "3")
    with postgres_server() as url:
        postgres = {"DATABASE_URL": url}
        yield "PostgreSQL", _pytest("PostgreSQL", "tests", "-n", "3", "--database-only", variables=postgres)
    yield "sdk", _pytest("the device library", "tests", "-n", "3", directory=ROOT / "sdk")


def _pytest(title: str, *arguments: str, directory: Path = ROOT, variables: dict[str, str] | None = None) -> int:
    sys.stdout.write(f"\n===== {title} =====\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.outcome", *arguments, *sys.argv[1:]]
    # The database is the pass's affair, not the shell's.
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | (variables or {})
    env["PYTHONPATH"] = str(ROOT)
    return subprocess.run(command, cwd=directory, env=env, check=False).returncode


def _total(path: Path) -> Counter[str]:
    total: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        total.update(json.loads(line))
    return total


def _closing_line(total: Counter[str], failed: list[str], seconds: float) -> None:
    counted = ", ".join(f"{number} {name}" for name, number in total.items() if number)
    where = f"; failed: {', '.join(failed)}" if failed else ""
    text = f"===== {counted or 'no tests ran'} in {seconds:.1f}s{where} ====="
    sys.stdout.write(f"\n{_COLOURS[not failed]}{text}\033[0m\n" if sys.stdout.isatty() else f"\n{text}\n")


if __name__ == "__main__":
    sys.exit(main())
