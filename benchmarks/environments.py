"""Virtual environments for peers, whose requirements do not go together with ours. Made once, under `var/bench`."""

import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

_HOME: Final = Path(__file__).resolve().parent.parent / "var" / "bench"


def python_with(name: str, *requirements: str) -> str:
    """The interpreter of an environment with these requirements installed."""
    home = _HOME / name
    python, stamp = home / "bin" / "python", home / "installed"
    wanted = "\n".join(requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(home, clear=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603
        stamp.write_text(wanted)
    return str(python)
