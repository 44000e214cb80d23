from tests.fixtures import _servers, cast, live_cast, live_db, moved_clock, server  # noqa: F401  fixtures
