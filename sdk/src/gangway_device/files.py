"""Private files that are never lost half-way, and locks between processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from gangway_device.errors import StoreBusy, StoreExposed


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, readable by its owner only; after a power cut it holds the old content or the new.

    One writer at a time, who holds the lock. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        # A name that is always the same: what a crash leaves behind is overwritten and does not pile up.
        with os.fdopen(_open_private(temporary), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_directory(path.parent)


def read_private(path: Path) -> bytes | None:
    """The content of `path`, None if there is no such file.

    Raises StoreExposed when other users may read or write it. It is not repaired: what it held may be known by then.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise StoreExposed(
                f"{path} can be used by other users of this machine (mode {mode:04o}); "
                f"if you trust them with its secret so far, run: chmod 600 {path}"
            )
        return file.read()


def make_private_directory(path: Path) -> None:
    """Make `path` and what is missing above it; new directories are their owner's only. Raises OSError."""
    if not path.exists():
        make_private_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


class FileLock:
    """An exclusive lock between processes (flock on a file of its own), which ends with the process that holds it."""

    def __init__(self, path: Path, busy: str) -> None:
        """Take the lock. Raises StoreBusy with the message `busy` when it is taken."""
        make_private_directory(path.parent)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise StoreBusy(busy) from error

    def release(self) -> None:
        """Give the lock up; once only."""
        os.close(self._file)

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.release()


def _open_private(path: Path) -> int:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.fchmod(file, 0o600)
    return file


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
