"""`make bench NAME=…`: runs one script of this directory and judges its last line."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_MEMBERS: Final = {"name", "value", "unit", "against", "ratio", "goal", "holds"}


def main(arguments: list[str]) -> int:
    """Returns 0 when the goal holds, 1 when it does not, 2 when there is no such script or no result."""
    names = sorted(path.stem for path in _HERE.glob("[a-z]*.py") if path.stem != "run")
    if len(arguments) != 1 or arguments[0] not in names:
        sys.stderr.write(
            f"Use: make bench NAME=…, where NAME is one of: {', '.join(names) or '(there are none yet)'}\n"
        )
        return 2
    status, last_line = _run(arguments[0])
    if status > 1:
        return status
    result = _result(last_line)
    if result is None:
        sys.stderr.write(f"{arguments[0]} did not end with its result as one line of JSON.\n")
        return 2
    return 0 if result["holds"] is True and status == 0 else 1


def _run(name: str) -> tuple[int, str]:
    """Runs a script, showing what it prints; returns its status and its last line."""
    last_line = ""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    with subprocess.Popen(command, cwd=_HERE.parent, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            last_line = line if re.search(r"\S", line) else last_line
    return process.returncode, last_line


def _result(line: str) -> dict[str, object] | None:
    try:
        result = json.loads(line)
    except ValueError:
        return None
    return result if isinstance(result, dict) and result.keys() >= _MEMBERS else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
