"""Weekly windows in an organization's wall-clock time, right on the days the clocks change too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from policies.engine.model import MINUTES_PER_DAY, Window

LAST_MS = 253_402_214_400_000
"""The latest instant the engine judges (end of year 9999, less a day for time zones); the first is 0."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnreadableSchedule(ValueError):
    """The windows or the time zone make no sense; whether the policy is open cannot be told."""


def check_schedule(windows: Sequence[Window], time_zone: str) -> None:
    """Raise UnreadableSchedule unless every window can be judged."""
    for window in windows:
        starts = 0 <= window.day <= 6 and 0 <= window.start_minute < MINUTES_PER_DAY
        ends = 0 < window.end_minute <= MINUTES_PER_DAY and window.end_minute != window.start_minute
        if not (starts and ends):
            raise UnreadableSchedule(f"{window} is not a window of a week.")
    if windows:
        _zone(time_zone)


def is_open(windows: Sequence[Window], time_zone: str, at_ms: int) -> bool:
    """Whether any window is open. A window past midnight belongs to its start day; ends are not inside."""
    day, minute = _wall_clock(time_zone, at_ms // 60_000)
    yesterday = (day - 1) % 7
    for window in windows:
        if window.end_minute > window.start_minute:
            if window.day == day and window.start_minute <= minute < window.end_minute:
                return True
        elif (window.day == day and minute >= window.start_minute) or (
            window.day == yesterday and minute < window.end_minute
        ):
            return True
    return False


@lru_cache(maxsize=4_096)
def _wall_clock(time_zone: str, epoch_minute: int) -> tuple[int, int]:
    local = (_EPOCH + timedelta(minutes=epoch_minute)).astimezone(_zone(time_zone))
    return local.weekday(), local.hour * 60 + local.minute


@lru_cache(maxsize=1_024)
def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnreadableSchedule(f"{time_zone!r} is not a time zone known here.") from error
