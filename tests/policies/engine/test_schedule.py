"""Weekly windows: half-open, past midnight, and on the two nights when the clocks of Berlin change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from policies.engine.model import Window
from policies.engine.schedule import is_open

BERLIN = "Europe/Berlin"
MONDAY, FRIDAY, SATURDAY, SUNDAY = 0, 4, 5, 6
OFFICE = (Window(MONDAY, 9 * 60, 17 * 60),)
NIGHT = (Window(FRIDAY, 22 * 60, 6 * 60),)
SUNDAY_NIGHT = (Window(SUNDAY, 22 * 60, 6 * 60),)
WHOLE_SUNDAY = (Window(SUNDAY, 0, 1_440),)
TWO_TO_THREE = (Window(SUNDAY, 2 * 60, 3 * 60),)


def instant(text: str, zone: str = BERLIN, fold: int = 0) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(local.timestamp() * 1000)


# (what, windows, local time in Berlin, whether it is open); 2026-03-27 is a Friday
CASES = [
    ("its start is inside", OFFICE, "2026-03-30T09:00", True),
    ("just before its start", OFFICE, "2026-03-30T08:59:59.999", False),
    ("its last millisecond", OFFICE, "2026-03-30T16:59:59.999", True),
    ("its end is outside", OFFICE, "2026-03-30T17:00", False),
    ("another day", OFFICE, "2026-03-31T12:00", False),
    ("the evening of a night", NIGHT, "2026-03-27T22:00", True),
    ("past midnight belongs to the start day", NIGHT, "2026-03-28T05:59", True),
    ("the night ends", NIGHT, "2026-03-28T06:00", False),
    ("the morning of the start day is not its night", NIGHT, "2026-03-27T05:59", False),
    ("the evening after is not its night", NIGHT, "2026-03-28T22:00", False),
    ("from Sunday into Monday", SUNDAY_NIGHT, "2026-03-30T05:59", True),
    ("not from Saturday into Sunday", SUNDAY_NIGHT, "2026-03-29T05:59", False),
    ("a whole day, its first instant", WHOLE_SUNDAY, "2026-03-29T00:00", True),
    ("a whole day, its last instant", WHOLE_SUNDAY, "2026-03-29T23:59:59.999", True),
    ("a whole day ends at midnight", WHOLE_SUNDAY, "2026-03-30T00:00", False),
    ("several windows, one open", OFFICE + NIGHT, "2026-03-27T23:00", True),
]


@pytest.mark.parametrize(("what", "windows", "local", "expected"), CASES, ids=[case[0] for case in CASES])
def test_windows(what: str, windows: tuple[Window, ...], local: str, expected: bool) -> None:
    assert is_open(windows, BERLIN, instant(local)) is expected, what


def test_the_hour_that_spring_skips_never_opens() -> None:
    midnight = instant("2026-03-29T00:00")
    opened = [minute for minute in range(24 * 60) if is_open(TWO_TO_THREE, BERLIN, midnight + minute * 60_000)]
    assert opened == []


def test_the_hour_that_autumn_repeats_is_open_twice() -> None:
    midnight = instant("2026-10-25T00:00")
    opened = [minute for minute in range(25 * 60) if is_open(TWO_TO_THREE, BERLIN, midnight + minute * 60_000)]
    assert opened == list(range(120, 240))


def test_office_hours_keep_to_the_wall_clock_when_the_clocks_change() -> None:
    """The Monday after the change, 9:00 in Berlin is 7:00 UTC and no longer 8:00."""
    assert instant("2026-03-30T09:00", BERLIN) == instant("2026-03-30T07:00", "UTC")
    assert is_open(OFFICE, BERLIN, instant("2026-03-30T07:00", "UTC"))
    assert is_open(OFFICE, BERLIN, instant("2026-03-23T08:00", "UTC"))
    assert not is_open(OFFICE, BERLIN, instant("2026-03-23T07:00", "UTC"))


def test_the_same_instant_may_be_another_day_elsewhere() -> None:
    noon_in_auckland = instant("2026-03-30T10:00", "Pacific/Auckland")
    assert is_open(OFFICE, "Pacific/Auckland", noon_in_auckland)
    assert not is_open(OFFICE, BERLIN, noon_in_auckland)


def test_a_zone_of_odd_minutes() -> None:
    assert is_open(OFFICE, "Asia/Kathmandu", instant("2026-03-30T03:15", "UTC"))
    assert not is_open(OFFICE, "Asia/Kathmandu", instant("2026-03-30T03:14", "UTC"))
