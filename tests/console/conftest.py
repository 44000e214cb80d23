import pytest

from tests.fixtures import _servers, cast, live_cast, live_db, moved_clock, server  # noqa: F401  fixtures


@pytest.fixture
def guessed(monkeypatch, settings):
    """So much is guessed that a code alone opens nothing."""
    from provisioning.services import guesses

    # How many codes are live is remembered for a while, also from the test before.
    monkeypatch.setattr(guesses, "_LIVE_CODES_KEPT", 0.0)
    guesses._live_codes.forget()
    settings.GUESS_HIT_CHANCE = 1e-13
