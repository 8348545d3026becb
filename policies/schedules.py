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
