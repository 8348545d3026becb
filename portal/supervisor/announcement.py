"""What the terminal says when everything answers."""

from __future__ import annotations

from collections.abc import Sequence

from portal.supervisor.demo_file import Person


def announcement(url: str, people: Sequence[Person], first_run: str, seconds: float) -> str:
    """`first_run`: what `manage.py setup_token` printed, empty once the portal is set up."""
    lines = ["", f"  Portcullis is ready after {seconds:.1f} s:  {url}/", ""]
    if people:
        lines += ["  Who can sign in:", *_table(people), ""]
    if first_run:
        lines += ["  Nobody can sign in yet:", *(f"    {line}" for line in first_run.splitlines()), ""]
    return "\n".join([*lines, "  Ctrl-C stops it. `make reset` throws the data away.", ""])


def _table(people: Sequence[Person]) -> list[str]:
    rows = [(person.email, person.password, f"{person.role}, {person.organization}") for person in people]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
