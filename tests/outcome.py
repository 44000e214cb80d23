"""A pytest plugin: in CI a skipped test is a failure, and tests.run learns how many tests there were."""

import json
import os
from pathlib import Path

import pytest

COUNTS_FILE = "GANGWAY_TEST_COUNTS"
_COUNTED = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    """Turns the run into a failed one when something was skipped that CI has everything for."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or os.environ.get("PYTEST_XDIST_WORKER"):
        return
    counts = {name: len(reporter.stats.get(name, ())) for name in _COUNTED}
    if path := os.environ.get(COUNTS_FILE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(counts) + "\n")
    if os.environ.get("CI") and counts["skipped"] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Says why the run failed."""
    if os.environ.get("CI") and (skipped := terminalreporter.stats.get("skipped")):
        terminalreporter.section("skipped in CI, where nothing may be", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[-1] if report.longrepr else ''}")
