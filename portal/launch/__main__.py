"""`python -m portal.launch`: runs the whole portal until it is told to stop."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress

from portal.launch.announce import Administrator, announce, introduction, report, say
from portal.launch.checks import check_address, check_database, check_python, check_redis
from portal.launch.children import background, preparation, web
from portal.launch.configuration import Configuration, child_environment, read_configuration
from portal.launch.errors import FAILED, REFUSED, LaunchError
from portal.launch.hosts import local_address, portal_url
from portal.launch.readiness import until_answering
from portal.launch.redis_server import find_binary, start_redis
from portal.launch.state import create_data_directory, create_secret_key, only_launcher, write_private
from portal.launch.supervisor import Supervisor


def main() -> int:
    """Runs the portal; returns the exit status."""
    try:
        check_python()
        configuration = read_configuration()
        # Everything under the data directory, whoever writes it, is for this user alone.
        os.umask(0o077)
        create_data_directory(configuration.data_dir)
        with only_launcher(configuration.data_dir):
            return _run(configuration)
    except LaunchError as error:
        if text := str(error):
            report(text)
        return error.status
    except KeyboardInterrupt:
        return 0


def _run(configuration: Configuration) -> int:
    check_address(configuration.host, configuration.port)
    check_database(configuration.database)
    if configuration.outside_redis:
        check_redis(configuration.outside_redis)
    if not configuration.own_secret_key:
        create_secret_key(configuration.data_dir)
    redis_note = configuration.data_dir / "redis-url"
    # A launcher that was killed left its own behind.
    redis_note.unlink(missing_ok=True)
    try:
        return asyncio.run(_supervise(configuration))
    finally:
        redis_note.unlink(missing_ok=True)


async def _supervise(configuration: Configuration) -> int:
    supervisor = Supervisor()
    serving = asyncio.create_task(_serve(configuration, supervisor))
    requests = 0

    def stop() -> None:
        nonlocal requests
        requests += 1
        if requests == 1:
            serving.cancel()
            say("Stopping …")
        else:
            supervisor.kill()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        with suppress(asyncio.CancelledError):
            await serving
    finally:
        await supervisor.stop()
    return 0


async def _serve(configuration: Configuration, supervisor: Supervisor) -> None:
    redis_url = configuration.outside_redis or await _own_redis(configuration, supervisor)
    environment = child_environment(configuration, redis_url)
    administrator = await _prepare(configuration, supervisor, environment)
    keeper = supervisor.keep(web(configuration, environment))
    name = next((host for host in configuration.allowed_hosts if host.strip("*")), "localhost").lstrip(".")
    try:
        await until_answering(local_address(configuration.host), configuration.port, name, keeper)
    except (LaunchError, asyncio.CancelledError):
        # The next start will not know the password any more.
        say("\n".join(introduction(administrator)))
        raise
    for child in background(configuration, environment):
        supervisor.keep(child)
    announce(portal_url(configuration.host, configuration.port), configuration.data_dir, administrator)
    await asyncio.Event().wait()


async def _own_redis(configuration: Configuration, supervisor: Supervisor) -> str:
    binary = find_binary()
    data_dir = configuration.data_dir
    url = await start_redis(supervisor, binary=binary, data_dir=data_dir, root=configuration.root)
    # For `manage.py` commands that run beside the portal.
    write_private(data_dir / "redis-url", url)
    return url


async def _prepare(
    configuration: Configuration, supervisor: Supervisor, environment: dict[str, str]
) -> Administrator | None:
    secret = {name: value for name, value in os.environ.items() if name.startswith("GANGWAY_ADMIN_PASSWORD")}
    status, output = await supervisor.run(preparation(configuration, environment | secret))
    if status == REFUSED:
        raise LaunchError
    if status:
        raise LaunchError("The portal could not be prepared; the reason is above.", status=FAILED)
    answer = json.loads(output.splitlines()[-1])
    return Administrator(**answer) if answer else None


if __name__ == "__main__":
    sys.exit(main())
