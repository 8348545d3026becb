"""Weekly windows: as they are stored (`{"day": 0, "start": "08:00", "end": "24:00"}`), in minutes, and in rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from policies.engine.model import MINUTES_PER_DAY, Window

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def window_values(schedule: Iterable[Mapping[str, Any]]) -> tuple[Window, ...]:
    """The windows in minutes. Raises ValueError for a time that is not `HH:MM`."""
    return tuple(Window(int(w["day"]), _minutes(w["start"]), _minutes(w["end"])) for w in schedule)


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


@dataclass(frozen=True, slots=True)
class Row:
    """Some days with the same times, as people think of them. `end` is `24:00` for the end of the day."""

    days: tuple[int, ...]
    start: str
    end: str


PRESETS: Mapping[str, tuple[str, Row]] = {
    "work": ("Working hours", Row((0, 1, 2, 3, 4), "08:00", "18:00")),
    "nights": ("Nights", Row((0, 1, 2, 3, 4, 5, 6), "20:00", "06:00")),
    "weekends": ("Weekends", Row((5, 6), "00:00", "24:00")),
}


def rows_of(schedule: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Stored windows as rows: those with the same times together, in the order in which the times come first."""
    days_at: dict[tuple[str, str], list[int]] = {}
    for window in schedule:
        days_at.setdefault((window["start"], window["end"]), []).append(int(window["day"]))
    return [Row(tuple(sorted(set(days))), start, end) for (start, end), days in days_at.items()]


def windows_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as windows are stored, one for each day."""
    return [{"day": day, "start": row.start, "end": row.end} for row in rows for day in row.days]


def day_words(days: tuple[int, ...]) -> str:
    """`Mon to Fri`, `daily`, `Mon, Wed`."""
    if len(days) == 7:
        return "daily"
    if len(days) > 2 and days == tuple(range(days[0], days[-1] + 1)):
        return f"{DAYS[days[0]][:3]} to {DAYS[days[-1]][:3]}"
    return ", ".join(DAYS[day][:3] for day in days)


def length_of(window: Window) -> int:
    """Minutes that a window is open on a day without a clock change."""
    return (window.end_minute - window.start_minute) % MINUTES_PER_DAY or MINUTES_PER_DAY
