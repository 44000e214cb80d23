"""The environment in which the tests' own Django runs. Settings are read once a process, so it is set up before."""

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers import numbered_redis, redis_server

# Variables of the shell that would make tests depend on who runs them, or reach a portal that is in use.
PORTAL_VARIABLES = (
    "ALLOWED_HOSTS", "DATA_DIR", "DEBUG", "GANGWAY_ADMIN_PASSWORD", "GANGWAY_ADMIN_PASSWORD_FILE", "HOST",
    "LOG_FORMAT", "LOG_LEVEL", "PORT", "PUBLIC_URL", "REDIS_URL", "REDIS_URL_FILE", "SECRET_KEY", "SECRET_KEY_FILE",
    "TRUSTED_PROXIES",
)  # fmt: skip
_DIRECTORY = "GANGWAY_TEST_DIR"
_REDIS = "GANGWAY_TEST_REDIS_URL"


@contextmanager
def shared() -> Iterator[None]:
    """Starts what all test processes share, and names it in the environment they inherit."""
    with (
        tempfile.TemporaryDirectory(prefix="gangway-test-", ignore_cleanup_errors=True) as directory,
        redis_server() as url,
    ):
        os.environ[_DIRECTORY] = directory
        os.environ[_REDIS] = url
        yield
        del os.environ[_DIRECTORY], os.environ[_REDIS]


def prepare() -> None:
    """Gives this process a data directory and a Redis database of its own, and names the settings."""
    if _DIRECTORY not in os.environ:
        stack = ExitStack()
        stack.enter_context(shared())
        atexit.register(stack.close)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    data_dir = shared_directory() / (worker or "main")
    # WhiteNoise warns when there is no directory for static files.
    (data_dir / "static").mkdir(parents=True, exist_ok=True)
    for name in PORTAL_VARIABLES:
        os.environ.pop(name, None)
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    os.environ["DATA_DIR"] = str(data_dir)
    os.environ["SECRET_KEY"] = "for-tests-" + "0123456789" * 5
    # Database 0 belongs to processes without a number.
    os.environ["REDIS_URL"] = numbered_redis(os.environ[_REDIS], int(worker.removeprefix("gw")) + 1 if worker else 0)


def shared_directory() -> Path:
    """Where test processes may leave things for one another."""
    return Path(os.environ[_DIRECTORY])


def clean_environment() -> dict[str, str]:
    """The environment for portals that tests start: this process's, without what says how a portal is set up."""
    unwanted = {*PORTAL_VARIABLES, "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and not name.startswith(("GANGWAY_TEST", "PYTEST_"))
    }
