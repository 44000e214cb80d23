"""The whole portal: started, killed in parts and as a whole, started again."""

import re
import signal
import stat
import sys

import psutil
import pytest
import redis

from tests.servers import numbered_redis, redis_server

_WITHOUT_REDIS = """
import sys
from portal.launch import __main__ as launcher
launcher.find_binary = lambda: None
sys.exit(launcher.main())
"""


def leftovers(data_dir):
    """Processes that belong to a data directory."""
    return [
        process
        for process in psutil.process_iter()
        if f"DATA_DIR={data_dir}" in _environment(process) or str(data_dir) in " ".join(_command(process))
    ]


def _environment(process):
    try:
        return [f"{name}={value}" for name, value in process.environ().items()]
    except psutil.Error:
        return []


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def users(portal):
    return portal.manage("shell", "--no-imports", "-c", "from devices.models import User; print(User.objects.count())")


def test_the_first_start_shows_a_password_once_and_the_second_keeps_the_data(portal_factory):
    portal = portal_factory(GANGWAY_ADMIN_PASSWORD="")
    portal.start()
    password = re.search(r"Password +(\S+) +\(shown this once\)", portal.log())
    assert password is not None
    assert f"Gangway answers on {portal.url}\n" in portal.log()
    assert str(portal.data_dir) in portal.log()
    key = (portal.data_dir / "secret-key").read_text()
    check = "from devices.models import User; print(User.objects.get().check_password({!r}))"
    assert portal.manage("shell", "--no-imports", "-c", check.format(password[1])).strip() == "True"
    assert portal.stop() == 0

    first = portal.log()
    portal.start()
    second = portal.log().removeprefix(first)
    assert "Password" not in second and "Administrator" not in second
    assert (portal.data_dir / "secret-key").read_text() == key
    assert users(portal).strip() == "1"


@pytest.mark.once
def test_a_chosen_password_is_not_repeated(launched_portal):
    assert "the one you chose" in launched_portal.log()
    assert launched_portal.admin_password not in launched_portal.log()
    check = (
        f"from devices.models import User; print(User.objects.get().check_password({launched_portal.admin_password!r}))"
    )
    assert launched_portal.manage("shell", "--no-imports", "-c", check).strip() == "True"
    for process in launched_portal.children().values():
        assert launched_portal.admin_password not in " ".join(_environment(process))


@pytest.mark.once
def test_all_state_is_private(launched_portal):
    for path in [launched_portal.data_dir, *launched_portal.data_dir.iterdir()]:
        if path.name != "static":  # laid out by the tests
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_no_process_behind(launched_portal, number):
    assert {"daphne", "celery", "beat", "redis"} == set(launched_portal.children())
    assert launched_portal.stop(number) == 0
    assert leftovers(launched_portal.data_dir) == []
    assert not (launched_portal.data_dir / "redis-url").exists()
    assert "Traceback" not in launched_portal.log()


@pytest.mark.once
def test_stopping_while_it_starts_leaves_no_process_behind(portal_factory):
    portal = portal_factory()
    portal.start(wait=False)
    portal.wait_for(lambda: "redis" in portal.children(), "Redis")
    assert portal.stop() == 0
    assert leftovers(portal.data_dir) == []


@pytest.mark.once
def test_a_child_that_is_killed_comes_back(launched_portal):
    for name in ("daphne", "celery", "beat", "redis"):
        before = launched_portal.children()[name].pid
        launched_portal.kill(name)
        launched_portal.wait_for(lambda name=name: name in launched_portal.children(), name)
        launched_portal.wait_for(launched_portal.answers, "an answer")
        assert launched_portal.children()[name].pid != before
        assert f"gangway: {name} was ended by signal 9; starting it again in 1 s.\n" in launched_portal.log()
    url = (launched_portal.data_dir / "redis-url").read_text().strip()
    launched_portal.wait_for(lambda: redis_answers(url), "Redis")


def redis_answers(url):
    try:
        with redis.Redis.from_url(url) as client:
            return client.ping()
    except redis.ConnectionError:
        return False


@pytest.mark.once
def test_a_launcher_that_is_killed_takes_its_children_along_and_can_be_started_again(launched_portal):
    launched_portal.kill("launcher")
    psutil.wait_procs(leftovers(launched_portal.data_dir), timeout=5)
    assert leftovers(launched_portal.data_dir) == []
    launched_portal.start()
    assert launched_portal.answers()


@pytest.mark.once
def test_it_runs_with_a_redis_server_that_is_already_there(portal_factory):
    with redis_server() as url:
        portal = portal_factory(REDIS_URL=numbered_redis(url, 3))
        portal.start()
        portal.wait_for(lambda: set(portal.children()) == {"daphne", "celery", "beat"}, "the children")
        assert not (portal.data_dir / "redis-url").exists()
        with redis.Redis.from_url(numbered_redis(url, 3)) as client:
            portal.wait_for(lambda: client.keys("_kombu*"), "Celery")
        assert portal.stop() == 0


@pytest.mark.once
def test_without_any_redis_server_fakeredis_stands_in(portal_factory):
    portal = portal_factory()
    portal.command = (sys.executable, "-c", _WITHOUT_REDIS)
    portal.start()
    assert portal.log().count("fakeredis stands in") == 1
    url = (portal.data_dir / "redis-url").read_text().strip()
    with redis.Redis.from_url(url) as client:
        portal.wait_for(lambda: client.exists("_kombu.binding.gangway"), "Celery")
    assert portal.stop() == 0
    assert leftovers(portal.data_dir) == []
