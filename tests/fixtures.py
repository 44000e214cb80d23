"""Fixtures for the folders' conftests. They import late: conftests are read before Django is set up."""

import pytest


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
def _servers(django_db_setup):
    """Ends before the database is dropped."""
    yield
    from tests.live import kill_shared_server

    kill_shared_server()


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
