"""What the terminal says when everything answers."""

from __future__ import annotations

from collections.abc import Sequence

from portal.supervisor.demo_file import Person


def announcement(url: str, people: Sequence[Person], seconds: float) -> str:
    lines = ["", f"  Portcullis is ready after {seconds:.1f} s:  {url}/", ""]
    if people:
        lines += ["  Who can sign in:", *_table(people), ""]
    else:
        lines += ["  The first person who opens it sets it up.", ""]
    return "\n".join([*lines, "  Ctrl-C stops it. `make reset` throws the data away.", ""])


def _table(people: Sequence[Person]) -> list[str]:
    rows = [(person.email, person.password, f"{person.role}, {person.organization}") for person in people]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
