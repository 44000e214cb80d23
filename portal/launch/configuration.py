"""What the launcher needs to know, taken from the portal's own settings so that both always agree."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.launch.errors import LaunchError
from portal.launch.hosts import allowed_hosts
from portal.lib.env import ConfigurationError, Environment


@dataclass(frozen=True)
class Configuration:
    """Where the portal listens, where its data is, and which servers it was given."""

    root: Path
    data_dir: Path
    host: str
    port: int
    allowed_hosts: tuple[str, ...]
    database: Mapping[str, Any]
    outside_redis: str
    """The URL of a Redis server that somebody else runs; empty when the launcher has to start one."""
    own_secret_key: bool
    """Whether SECRET_KEY was given, so that none has to be made."""


def read_configuration() -> Configuration:
    """Reads the settings; raises LaunchError with the sentence of the variable that is wrong."""
    try:
        # Here and not at the top: reading the settings is what may fail.
        from portal import settings

        environment = Environment()
        outside_redis = environment.secret("REDIS_URL")
        own_secret_key = bool(environment.secret("SECRET_KEY"))
        hosts = environment.items("ALLOWED_HOSTS", allowed_hosts(settings.HOST, settings.PUBLIC_URL))
    except ConfigurationError as error:
        raise LaunchError(str(error)) from error
    return Configuration(
        root=settings.BASE_DIR,
        data_dir=settings.DATA_DIR,
        host=settings.HOST,
        port=settings.PORT,
        allowed_hosts=tuple(hosts),
        database=settings.DATABASES["default"],
        outside_redis=outside_redis,
        own_secret_key=own_secret_key,
    )


def child_environment(configuration: Configuration, redis_url: str) -> dict[str, str]:
    """The environment of the portal's processes. They have no use for the administrator's password."""
    unwanted = {"GANGWAY_ADMIN_PASSWORD", "GANGWAY_ADMIN_PASSWORD_FILE", "REDIS_URL_FILE"}
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    return inherited | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(configuration.data_dir),
        "HOST": configuration.host,
        "PORT": str(configuration.port),
        "ALLOWED_HOSTS": ",".join(configuration.allowed_hosts),
        "REDIS_URL": redis_url,
    }
