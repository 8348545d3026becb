"""When a schedule is open: the next openings, and what the next clock changes do to its windows. Pure.

`engine.schedule.is_open` decides; this only finds the instants at which its answer can change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from policies.engine.model import Window
from policies.engine.schedule import is_open
from policies.schedules import length_of

_DAY = timedelta(days=1)
_STEP = timedelta(hours=6)
_LOOK_AHEAD = timedelta(days=9)
_YEAR = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Opening:
    """One time during which some window is open, half-open, in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Shift:
    """A window of one day that a clock change makes longer or shorter. Minutes; `real` is 0 when it never opens."""

    window: Window
    usual: int
    real: int


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Clocks go from `before` to `after` (wall clock, no zone) at `at`; `shifts` are the windows that it touches."""

    at: datetime
    before: datetime
    after: datetime
    shifts: tuple[Shift, ...]


def openings(windows: Sequence[Window], zone: ZoneInfo, now: datetime) -> list[Opening]:
    """What is open from `now` on, within the next nine days; the first one may have begun before."""
    found: list[Opening] = []
    opened: datetime | None = None
    last = now + _LOOK_AHEAD
    for moment in _moments(windows, zone, now - _DAY * 2, last):
        is_now_open = is_open(windows, zone.key, _ms(moment))
        if is_now_open and opened is None:
            opened = moment
        elif not is_now_open and opened is not None:
            found.append(Opening(opened, moment))
            opened = None
    if opened is not None:
        found.append(Opening(opened, last))
    return [opening for opening in found if opening.end > now]


def clock_changes(windows: Sequence[Window], zone: ZoneInfo, now: datetime, *, most: int = 2) -> list[ClockChange]:
    """The next changes of the clock within 400 days, soonest first, with the windows that they touch."""
    found = []
    for moment in transitions(zone, now, now + _YEAR):
        after = moment.astimezone(zone).replace(tzinfo=None)
        before = after - _jump(zone, moment)
        found.append(ClockChange(moment, before, after, tuple(_shifts(windows, before, after))))
        if len(found) == most:
            break
    return found


def transitions(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """The instants in `(first, last]` from which clocks of the zone are set differently, to the minute."""
    low = first.astimezone(UTC).replace(second=0, microsecond=0)
    while low < last:
        high = min(low + _STEP, last)
        if _offset(zone, low) != _offset(zone, high):
            yield _bisect(zone, low, high)
        low = high


def _bisect(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = _offset(zone, low)
    while high - low > timedelta(minutes=1):
        middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _jump(zone: ZoneInfo, moment: datetime) -> timedelta:
    """By how much clocks are set forward at a transition; negative when they go back."""
    return _offset(zone, moment) - _offset(zone, moment - timedelta(minutes=1))


def _moments(windows: Sequence[Window], zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    """Every instant of the time given at which some window may open or close, in order."""
    edges = {minute for window in windows for minute in (window.start_minute, window.end_minute)}
    found = {first.replace(second=0, microsecond=0), *transitions(zone, first, last)}
    day: date = first.astimezone(zone).date() - _DAY
    while day <= last.astimezone(zone).date() + _DAY:
        midnight = datetime(day.year, day.month, day.day)
        for minute in edges:
            wall = midnight + timedelta(minutes=minute)
            found |= {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        day += _DAY
    return sorted(moment for moment in found if first <= moment <= last)


def _shifts(windows: Sequence[Window], before: datetime, after: datetime) -> Iterator[Shift]:
    """The windows of the days around a change that are open for longer or shorter than usual."""
    is_forward = after > before
    low, high = (before, after) if is_forward else (after, before)
    for day in (low.date() - _DAY, low.date(), low.date() + _DAY):
        for window in windows:
            if window.day != day.weekday():
                continue
            start = datetime(day.year, day.month, day.day) + timedelta(minutes=window.start_minute)
            usual = length_of(window)
            common = min(start + timedelta(minutes=usual), high) - max(start, low)
            minutes = common // timedelta(minutes=1)
            if minutes > 0:
                yield Shift(window, usual, usual - minutes if is_forward else usual + minutes)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
