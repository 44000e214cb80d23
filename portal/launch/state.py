"""The files the launcher keeps in the data directory."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.launch.errors import LaunchError


def create_data_directory(path: Path) -> None:
    """Makes sure that the data directory is there and can be written to."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise LaunchError(f"DATA_DIR is {path}, where nothing can be written: {error.strerror}.") from error


@contextmanager
def only_launcher(data_dir: Path) -> Iterator[None]:
    """Holds the data directory for this process. The kernel lets go of it however the process ends."""
    with open(data_dir / "run.lock", "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise LaunchError(f"A portal (process {holder}) is already running with DATA_DIR {data_dir}.") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def create_secret_key(data_dir: Path) -> None:
    """Makes the installation's secret key, once."""
    path = data_dir / "secret-key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(64))


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read; after a crash there is the old one or the new one, never a half."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
