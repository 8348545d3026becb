"""A schedule in words: when it is open next, in which zone, and what the next clock changes do to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from policies.engine.model import Window
from policies.openings import ClockChange, Opening, Shift, clock_changes, openings
from policies.schedules import DAYS

_ALWAYS = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Told:
    """`now`: whether and until when, or from when. `changes`: a sentence for each of the next clock changes."""

    now: str
    changes: tuple[str, ...]


def told(windows: Sequence[Window], zone: ZoneInfo, now: datetime) -> Told:
    """The sentences of a schedule; one without windows is always open."""
    if not windows:
        return Told("Open at all times.", ())
    found = openings(windows, zone, now)
    changes = clock_changes(windows, zone, now)
    said = tuple(_change(change) for change in changes)
    return Told(_next(found, zone, now), said or (f"Clocks in {zone.key} do not change in the next year.",))


def _next(found: Sequence[Opening], zone: ZoneInfo, now: datetime) -> str:
    if not found:
        return "It does not open in the next nine days."
    first = found[0]
    if first.end - first.start >= _ALWAYS:
        return f"Open at all times ({zone.key})."
    if first.start <= now:
        return f"Open now, until {_moment(first.end, zone)} ({zone.key})."
    return f"Opens next on {_moment(first.start, zone)}, until {_moment(first.end, zone)} ({zone.key})."


def _moment(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{DAYS[local.weekday()]} {local.day} {local:%B} {local:%H:%M}"


def _change(change: ClockChange) -> str:
    way = "forward" if change.after > change.before else "back"
    day = f"{DAYS[change.before.weekday()]} {change.before.day} {change.before:%B %Y}"
    start = f"On {day} clocks go {way} from {change.before:%H:%M} to {change.after:%H:%M}"
    if not change.shifts:
        return f"{start}: no window gets longer or shorter."
    return f"{start}: {'; '.join(_shift(shift) for shift in change.shifts)}."


def _shift(shift: Shift) -> str:
    window = shift.window
    name = f"{DAYS[window.day]} {_time(window.start_minute)}–{_time(window.end_minute)}"
    if shift.real <= 0:
        return f"{name} does not open"
    return f"{name} is open for {_length(shift.real)} instead of {_length(shift.usual)}"


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _length(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
