"""Fixtures for the folders' conftests. They import late: conftests are read before Django is set up."""

import pytest
from django.conf import settings

_PORTALS_OWN = settings.DATABASES["default"]["NAME"]


@pytest.fixture
def cast(db):
    """Alice, Bob, Vera, Charlie, Dora and their tenants."""
    from tests.base import make_cast

    return make_cast()


@pytest.fixture
def moved_clock(monkeypatch):
    """The portal's clock in the test's hand."""
    from portal.lib import clock
    from tests.times import MovedClock

    moved = MovedClock()
    monkeypatch.setattr(clock, "_read", moved)
    return moved


@pytest.fixture(scope="session")
def _servers(django_db_setup, django_db_blocker):
    """The tests' database, whichever tests run, and the end of what works on it before it is dropped."""
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    from tests.live import kill_shared_server

    # pytest-django makes no database when no chosen test is marked as using one.
    missing = connection.settings_dict["NAME"] == _PORTALS_OWN
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"}) if missing else []
        yield
        kill_shared_server()
        _let_go_of_database(connection)
        teardown_databases(made, verbosity=0)


def _let_go_of_database(connection):
    """Ends what PostgreSQL would wait for before it drops the database: threads keep connections of their pool."""
    if connection.vendor != "postgresql":
        return
    name = connection.settings_dict["NAME"]
    connection.close()
    connection.close_pool()
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@pytest.fixture
def live_db(_servers, django_db_blocker):
    """The database without a transaction around the test: other processes see what it writes, and it stays."""
    from django.db import connections

    with django_db_blocker.unblock():
        yield
        connections.close_all()


@pytest.fixture
def live_cast(live_db):
    """The cast on the database that other processes see."""
    from tests.base import make_cast

    return make_cast()


@pytest.fixture
def server(live_db):
    """A real Daphne on the tests' database."""
    from tests.live import shared_server

    return shared_server()
