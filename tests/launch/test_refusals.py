"""What is wrong from the start is said in one sentence, and nothing is started."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from portal.launch.checks import check_python
from portal.launch.errors import LaunchError
from tests.environment import clean_environment
from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.once


def launch(tmp_path, **variables):
    env = clean_environment() | {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())} | variables
    command = [sys.executable, "-m", "portal.launch"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)


def refusal(tmp_path, **variables):
    answer = launch(tmp_path, **variables)
    assert answer.returncode == 2, answer.stderr
    assert answer.stdout == ""
    sentence = answer.stderr.removesuffix("\n")
    assert "\n" not in sentence and sentence.startswith("gangway: ") and sentence.endswith((".", "….")), answer.stderr
    return sentence


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PORT": "eighty"}, "PORT must be a whole number"),
        ({"PORT": "70000"}, "PORT is 70000"),
        ({"HOST": "203.0.113.9"}, "not an address of this machine"),
        ({"HOST": "no such name"}, "neither an address nor a name"),
        ({"DEBUG": "perhaps"}, "DEBUG must be"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT must be one of"),
        ({"DATABASE_URL": "mysql://u:secret-word@h/n"}, "DATABASE_URL must"),
        ({"DATABASE_URL": "postgres://u:secret-word@127.0.0.1:1/n"}, "database of DATABASE_URL cannot be used"),
        ({"DATABASE_URL_FILE": "/nowhere/at/all"}, "DATABASE_URL_FILE names /nowhere/at/all"),
        ({"REDIS_URL": "redis://:secret-word@127.0.0.1:1/0"}, "Redis server of REDIS_URL on 127.0.0.1 cannot be used"),
        ({"REDIS_URL": "secret-word"}, "REDIS_URL must look like"),
        ({"DATA_DIR": "/dev/null/below"}, "DATA_DIR is /dev/null/below"),
        ({"DATABASE_URL": "sqlite:////dev/null/below.sqlite3"}, "The database cannot be used"),
    ],
)
def test_a_wrong_variable_is_one_sentence(tmp_path, variables, words):
    sentence = refusal(tmp_path, **variables)
    assert words in sentence
    assert "secret-word" not in sentence


def test_a_taken_port_is_one_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Port {port} of 127.0.0.1 is taken" in refusal(tmp_path, PORT=port)


def test_a_second_launcher_on_one_data_directory_is_refused(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with open(data_dir / "run.lock", "w") as lock:
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert f"(process {os.getpid()}) is already running with DATA_DIR {data_dir}" in refusal(tmp_path)


def test_a_lock_file_without_a_launcher_is_no_obstacle(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run.lock").write_text("1\n")
    assert "HOST" in refusal(tmp_path, HOST="203.0.113.9")


def test_a_python_that_is_too_old_is_refused():
    check_python((3, 11))
    with pytest.raises(LaunchError, match=r"3\.11 or newer; this is 3\.10"):
        check_python((3, 10))
