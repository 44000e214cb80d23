"""What the launcher says."""

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO


def say(text: str) -> None:
    """A line for the person at the terminal."""
    _write(sys.stdout, f"{text}\n")


def report(text: str) -> None:
    """A line about something that went wrong or is unusual."""
    _write(sys.stderr, f"gangway: {text}\n")


def _write(stream: TextIO, text: str) -> None:
    # Nobody may be listening any more: the terminal was closed, and that is why the portal stops.
    with suppress(OSError):
        stream.write(text)
        stream.flush()


@dataclass(frozen=True)
class Administrator:
    """Who was made by the first start."""

    username: str
    password: str = field(repr=False)
    chosen: bool
    """Whether the password was given by GANGWAY_ADMIN_PASSWORD: such a one is not shown."""


def announce(url: str, data_dir: Path, administrator: Administrator | None) -> None:
    """Says where the portal is and, after the first start, who may enter."""
    lines = [
        "",
        f"Gangway answers on {url}",
        "",
        *introduction(administrator),
        f"  Data           {data_dir}",
        "  Stop           Ctrl-C",
        "",
        f"  Next: .venv/bin/gangway-device provision --portal {url} --serial DEMO-1",
        f"        and enter the code it shows on {url}/claim",
        "",
    ]
    say("\n".join(lines))


def introduction(administrator: Administrator | None) -> list[str]:
    """The lines that say how to log in; none when nobody was made."""
    if administrator is None:
        return []
    shown = "the one you chose" if administrator.chosen else f"{administrator.password}   (shown this once)"
    return [f"  Administrator  {administrator.username}", f"  Password       {shown}"]
