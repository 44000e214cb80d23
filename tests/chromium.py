"""The browser that the tests drive."""

import os
import shutil
import subprocess

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing that needs a sandbox of the kernel's, a graphics card, or the maker's servers.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def find() -> str | None:
    """The path of a Chromium, if there is one."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def install() -> None:
    """Installs Chromium where that can be done without asking anybody."""
    if find() or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    quietly = {"check": True, "stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "-qq", "update"], **quietly)
    subprocess.run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", "chromium"], **quietly)
