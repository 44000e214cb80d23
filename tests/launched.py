"""A whole portal, started as a user starts it, for tests that want all of it."""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from portal.launch.process import die_with
from portal.launch.redis_server import free_port
from tests.environment import clean_environment, shared_directory

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
# The argument by which each child is told from the others; what is left is Redis, which rewrites its own.
_ARGUMENTS = {"daphne": "daphne", "worker": "celery", "beat": "beat"}


class LaunchedPortal:
    """A portal with a data directory, port and password of its own."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self.data_dir = directory / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin_password = secrets.token_urlsafe(12)
        self.env = clean_environment() | {
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "GANGWAY_ADMIN_PASSWORD": self.admin_password,
            **variables,
        }
        self.command = (sys.executable, "-m", "portal.launch")
        self._log_file = directory / "log"
        self._launcher: subprocess.Popen | None = None

    def __enter__(self) -> "LaunchedPortal":
        return self

    def __exit__(self, *_: object) -> None:
        if self._launcher is not None:
            self.stop()

    def lay_out(self) -> None:
        """Makes the data directory, with the static files in it."""
        if not (self.data_dir / "static").exists():
            self.data_dir.mkdir(mode=0o700, exist_ok=True)
            _lay_out_static_files(self.data_dir / "static")

    def start(self, *, wait: bool = True) -> None:
        """Starts the portal; returns when it has said that it answers."""
        self.lay_out()
        already_said = self.log().count("Gangway answers")
        with open(self._log_file, "ab") as log:
            self._launcher = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),
            )
        if wait:
            self.wait_for(lambda: self.log().count("Gangway answers") > already_said, "it to answer")
            # A process that was only just forked still has its parent's arguments.
            self.wait_for(lambda: {"daphne", "celery", "beat"} <= set(self.children()), "its children")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stops the portal as Ctrl-C does; returns the launcher's exit status."""
        assert self._launcher is not None
        if self._launcher.poll() is None:
            self._launcher.send_signal(number)
        return self._launcher.wait(PATIENCE)

    def kill(self, name: str) -> None:
        """Kills a child, or 'launcher', with SIGKILL."""
        if name == "launcher":
            assert self._launcher is not None
            self._launcher.kill()
            self._launcher.wait()
            return
        process = self.children()[name]
        process.kill()
        self.wait_for(lambda: not process.is_running(), f"the end of {name}")

    def children(self) -> dict[str, psutil.Process]:
        """The portal's processes by name."""
        assert self._launcher is not None
        found = {}
        for process in psutil.Process(self._launcher.pid).children():
            try:
                arguments = process.cmdline()
            except psutil.NoSuchProcess:
                continue
            names = [name for argument, name in _ARGUMENTS.items() if argument in arguments]
            if names or any("redis" in argument for argument in arguments):
                found[names[0] if names else "redis"] = process
        return found

    def manage(self, *arguments: str) -> str:
        """Runs manage.py beside the portal; returns what it prints."""
        return _manage(self.env, *arguments)

    def log(self) -> str:
        """Everything that all starts of this portal have printed."""
        return self._log_file.read_text(encoding="utf-8") if self._log_file.exists() else ""

    def answers(self) -> bool:
        """Whether the portal answers at this moment."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_for(self, condition, what: str) -> None:
        """Waits until a condition holds; shows the log if that takes too long or the launcher ends meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ended = self._launcher is not None and self._launcher.poll() is not None
            assert not ended and time.monotonic() < deadline, f"waited in vain for {what}:\n{self.log()}"
            time.sleep(0.05)


def _manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    answer = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def _lay_out_static_files(directory: Path) -> None:
    """Compressing them takes many seconds: it is done once for all portals, which get links to the same files."""
    template = shared_directory() / "static"
    with open(shared_directory() / "static.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            making = shared_directory() / "making"
            env = clean_environment() | {"DATA_DIR": str(making), "SECRET_KEY": secrets.token_urlsafe(64)}
            making.mkdir(exist_ok=True)
            _manage(env, "prepare")
            (making / "static").rename(template)
    shutil.copytree(template, directory, copy_function=os.link)
