"""The parts of docs/states.md that are drawn from the source: `python -m tests.house.drawn` writes them anew."""

import re
from pathlib import Path

from provisioning.states import CODE_MOVES, ENROLMENT_MOVES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "states.md"
_PART = re.compile(r"(<!-- drawn: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def draw(moves) -> str:
    """A diagram and a table of the moves."""
    starts = {start for start, _ in moves} - {end for _, end in moves}
    ends = {end for _, end in moves} - {start for start, _ in moves}
    diagram = [f"    [*] --> {state}" for state in sorted(starts)]
    diagram += [f"    {start} --> {end}" for start, end in moves]
    diagram += [f"    {state} --> [*]" for state in sorted(ends)]
    rows = [f"| {start} | {end} | {why} |" for (start, end), why in moves.items()]
    lines = ["```mermaid", "stateDiagram-v2", *diagram, "```", "", "| from | to | when |", "|---|---|---|", *rows]
    return "\n".join(lines)


def redrawn(text: str) -> str:
    """The page with its drawn parts as the source has them now."""
    parts = {"enrolment": draw(ENROLMENT_MOVES), "code": draw(CODE_MOVES)}
    return _PART.sub(lambda part: f"{part[1]}\n{parts[part[2]]}\n\n{part[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(redrawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
