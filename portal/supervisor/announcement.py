"""What the terminal says when everything answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from portal.supervisor.demo_file import Person


def announcement(url: str, people: Sequence[Person], first_run: str, scripts: Sequence[Path], seconds: float) -> str:
    """What to do next.

    `first_run`: what `manage.py setup_token` printed, empty once the portal is set up. `scripts`: what a real agent
    stops until somebody permits it.
    """
    lines = ["", f"  Portcullis is ready after {seconds:.1f} s:  {url}/", ""]
    if people:
        lines += ["  Who can sign in:", *_table(people), ""]
    if first_run:
        lines += ["  Nobody can sign in yet:", *(f"    {line}" for line in first_run.splitlines()), ""]
    if scripts:
        lines += [
            "  Stopped by a real agent until you permit it:",
            *(f"    {_short(script)}" for script in scripts),
            "",
        ]
    return "\n".join([*lines, "  Ctrl-C stops it. `make reset` throws the data away.", ""])


def _short(path: Path) -> str:
    """As one would type it: relative to where we are, when it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if here in path.parents else path)


def _table(people: Sequence[Person]) -> list[str]:
    rows = [(person.email, person.password, f"{person.role}, {person.organization}") for person in people]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
