"""Weekly windows: as they are stored and typed (`{"day": 0, "start": "08:00", "end": "24:00"}`), and in minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from policies.engine.model import Window

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def window_values(schedule: Iterable[Mapping[str, Any]]) -> tuple[Window, ...]:
    """The windows in minutes. Raises ValueError for a time that is not `HH:MM`."""
    return tuple(Window(int(w["day"]), _minutes(w["start"]), _minutes(w["end"])) for w in schedule)


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


_SHORT = tuple(day[:3].lower() for day in DAYS)


class UnreadableLine(ValueError):
    """A line of a typed schedule that means nothing; `line` counts from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(
            f"Line {line}: “{text}” is no window. Write it like Mon-Fri 08:00-18:00, or daily 20:00-23:30."
        )
        self.line = line


def typed(schedule: Iterable[Mapping[str, Any]]) -> str:
    """A schedule as a person types it: one line for each time of day, days that follow each other joined."""
    days_at: dict[tuple[str, str], list[int]] = {}
    for window in schedule:
        days_at.setdefault((window["start"], window["end"]), []).append(int(window["day"]))
    return "\n".join(f"{_days_told(sorted(set(days)))} {start}-{end}" for (start, end), days in days_at.items())


def read(text: str) -> list[dict[str, Any]]:
    """The windows of a typed schedule, empty lines left out. Raises UnreadableLine."""
    found: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip().lower().replace(" - ", "-").replace(", ", ",").split()
        if not words:
            continue
        if len(words) != 2 or words[1].count("-") != 1:
            raise UnreadableLine(number, line.strip())
        start, end = words[1].split("-")
        days = _days_read(words[0])
        if not days:
            raise UnreadableLine(number, line.strip())
        found += [{"day": day, "start": start.zfill(5), "end": end.zfill(5)} for day in days]
    return found


def _days_read(text: str) -> list[int]:
    """Days of `mon`, `mon-fri`, `sat,sun` or `daily`; empty when it means nothing."""
    if text in ("daily", "every"):
        return list(range(7))
    days: list[int] = []
    for part in text.split(","):
        ends = [_SHORT.index(word[:3]) for word in part.split("-") if word[:3] in _SHORT]
        if len(ends) != part.count("-") + 1 or len(ends) > 2:
            return []
        first, last = ends[0], ends[-1]
        days += [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    return sorted(set(days))


def _days_told(days: list[int]) -> str:
    if len(days) == 7:
        return "daily"
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return f"{DAYS[days[0]][:3]}-{DAYS[days[-1]][:3]}"
    return ",".join(DAYS[day][:3] for day in days)
