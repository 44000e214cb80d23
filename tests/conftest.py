"""Fixtures for all tests. Importing this module starts a Redis server, unless tests.run has."""

import itertools
import os
from contextlib import ExitStack

import pytest

from tests import chromium, environment
from tests.launched import LaunchedPortal
from tests.servers import postgres_database

environment.prepare()
pytest_plugins = ["tests.outcome"]

_ON_POSTGRESQL = os.environ.get("DATABASE_URL", "").startswith("postgres")
_DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "launched_portal", "portal_factory"}


def pytest_addoption(parser):
    """Adds what tests.run needs for its second pass."""
    parser.addoption("--database-only", action="store_true", help="only tests that use a database")


def pytest_configure(config):
    """Reads the settings and makes three changes for tests: quick passwords, no manifest of static files, no limit."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # A test makes in a second what a network may make in a minute; tests about the limit set their own.
    settings.ENROLMENTS_PER_MINUTE = 1_000_000
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Keeps pytest-django in the workers from reading the settings before they have an environment of their own."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_collection_modifyitems(config, items):
    """Leaves out what is about the other database, and in the second pass what the first has shown already."""
    chosen = [item for item in items if _is_wanted(item, config.getoption("--database-only"))]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def _is_wanted(item, database_only):
    if item.get_closest_marker("sqlite" if _ON_POSTGRESQL else "postgresql"):
        return False
    if not database_only:
        return True
    uses_database = item.get_closest_marker("django_db") or _DATABASE_FIXTURES & set(item.fixturenames)
    return bool(uses_database) and not item.get_closest_marker("once") and not item.get_closest_marker("browser")


@pytest.fixture(autouse=True)
def _empty_redis():
    """Leaves nothing in the cache and the queue for the next test."""
    yield
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def portal_factory(tmp_path):
    """Makes portals that are not started yet, on the database that the tests run on; stops them afterwards."""
    with ExitStack() as stack:
        count = itertools.count()

        def make(**variables):
            directory = tmp_path / f"portal-{next(count)}"
            directory.mkdir()
            if _ON_POSTGRESQL:
                database = stack.enter_context(postgres_database(os.environ["DATABASE_URL"]))
                variables = {"DATABASE_URL": database, **variables}
            return stack.enter_context(LaunchedPortal(directory, **variables))

        yield make


@pytest.fixture
def launched_portal(portal_factory):
    """A whole portal that answers, with its own data directory, port and administrator's password."""
    portal = portal_factory()
    portal.start()
    return portal


@pytest.fixture
def browser():
    """A headless Chromium. Made anew for each test: while it is open, its event loop is in the way of others."""
    path = chromium.find()
    if path is None:
        pytest.skip("no Chromium here; as root, `make test` installs one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, headless=True, args=list(chromium.ARGUMENTS))
