"""CSV that a spreadsheet shows and never runs: every cell quoted, formula beginnings disarmed (S-55)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

_ARMED = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00")


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The head and one line a row, each ending in CR LF. Times are ISO 8601 as given."""
    yield _line(columns)
    for row in rows:
        yield _line(row)


def _line(cells: Sequence[Any]) -> str:
    return ",".join(map(cell, cells)) + "\r\n"


def cell(value: Any) -> str:
    """One quoted cell. Text that a spreadsheet would run gets a leading quote sign; numbers stay numbers."""
    if value is None:
        return '""'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    text = str(value)
    if not isinstance(value, int | float) and text.startswith(_ARMED):
        text = "'" + text
    return '"' + text.replace("\x00", "").replace('"', '""') + '"'
