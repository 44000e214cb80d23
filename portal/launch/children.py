"""The processes that make up the portal, in the order in which they are started."""

import sys
from collections.abc import Mapping

from portal.launch.configuration import Configuration
from portal.launch.process import Child

# Idle sockets are pinged so that middleboxes keep them and dead ones are found. Daphne sets no limit of its own on
# requests, so long polls run as long as the portal lets them.
_DAPHNE = "--verbosity=0 --ping-interval=20 --ping-timeout=30 --websocket_timeout=-1 --no-server-name"
# Threads instead of forked processes: nothing is left over when the worker is killed, and no connection is inherited.
# For the same reason beat is a process of its own.
_WORKER = "--pool=threads --concurrency=2 --without-gossip --without-mingle --without-heartbeat --loglevel=WARNING"
# Running as root is the rule in containers; Celery's warning about it is not news.
_CELERY = ("-W", "ignore:You're running the worker with superuser", "-m", "celery", "--quiet", "--app=portal.celery")


def preparation(configuration: Configuration, environment: Mapping[str, str]) -> Child:
    """What runs to its end before the others: migrations, static files, the first administrator."""
    return Child("prepare", (sys.executable, "manage.py", "prepare"), environment, configuration.root)


def web(configuration: Configuration, environment: Mapping[str, str]) -> Child:
    """The server of pages, APIs and sockets."""
    where = (f"--bind={configuration.host}", f"--port={configuration.port}")
    command = (sys.executable, "-m", "daphne", *_DAPHNE.split(), *where, "portal.asgi:application")
    return Child("daphne", command, environment, configuration.root)


def background(configuration: Configuration, environment: Mapping[str, str]) -> tuple[Child, ...]:
    """What works behind the web server, and is started when that answers."""
    schedule = f"--schedule={configuration.data_dir / 'celerybeat-schedule'}"
    commands = {
        "celery": (*_CELERY, "worker", *_WORKER.split()),
        "beat": (*_CELERY, "beat", schedule, "--pidfile=", "--loglevel=WARNING"),
    }
    return tuple(
        Child(name, (sys.executable, *arguments), environment, configuration.root)
        for name, arguments in commands.items()
    )
