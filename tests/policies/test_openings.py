"""When a schedule is open, against a plain walk through every minute; and what is said about it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from policies.engine.model import Window
from policies.engine.schedule import is_open
from policies.openings import clock_changes, openings, transitions
from policies.schedule_words import told

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)

# Zones with their own ideas, and an instant shortly before the clocks change there.
NEAR_A_CHANGE = {
    "Europe/London": "2027-03-28T00:00Z",
    "Europe/Berlin": "2026-10-25T00:00Z",
    "America/New_York": "2026-11-01T04:00Z",
    "America/Havana": "2027-03-14T04:00Z",  # midnight does not exist
    "Asia/Beirut": "2026-10-24T20:00Z",  # midnight goes back into the day before
    "Australia/Lord_Howe": "2026-10-03T14:00Z",  # half an hour
    "Antarctica/Troll": "2027-03-28T00:00Z",  # two hours
    "Africa/Casablanca": "2027-02-07T01:00Z",  # back for Ramadan
    "Pacific/Chatham": "2027-04-03T13:00Z",
    "Pacific/Apia": "2011-12-30T09:00Z",  # a whole day is left out
    "Asia/Kolkata": "2026-11-21T00:00Z",  # never
}


def change_of(zone: str) -> datetime:
    """What the wall shows there when the clocks are set differently, within two days of the instant above."""
    place, first = ZoneInfo(zone), datetime.fromisoformat(NEAR_A_CHANGE[zone])
    for step in range(0, 2 * 1440, 10):
        moment = first + step * MINUTE
        if moment.astimezone(place).utcoffset() != (moment - 10 * MINUTE).astimezone(place).utcoffset():
            return moment.astimezone(place).replace(tzinfo=None)
    return first.astimezone(place).replace(tzinfo=None)


@st.composite
def a_zone_and_windows(draw: st.DrawFn) -> tuple[str, list[Window]]:
    """Windows of any time, and such that begin or end about when the clocks change."""
    zone = draw(st.sampled_from(sorted(NEAR_A_CHANGE)))
    change = change_of(zone)
    near = st.integers(-18, 18).map(lambda n: (change.hour * 60 + change.minute + 10 * n) % 1440)
    days = st.one_of(st.sampled_from([change.weekday(), (change.weekday() - 1) % 7]), st.integers(0, 6))
    times = st.one_of(near, st.integers(0, 1439))
    drawn = draw(st.lists(st.tuples(days, times, times), min_size=1, max_size=3))
    return zone, [Window(day, start, end if end not in (0, start) else 1440) for day, start, end in drawn]


def open_by_the_wall(windows: list[Window], zone: ZoneInfo, at: datetime) -> bool:
    """The rule read literally: some window of today, or of yesterday past midnight, holds this time of day."""
    local = at.astimezone(zone)
    of_day = local.hour * 60 + local.minute
    days = (local.date(), local.date() - DAY)
    return any(
        holds(window, local.date(), day, of_day) for window in windows for day in days if day.weekday() == window.day
    )


def holds(window: Window, today: date, starts_on: date, of_day: int) -> bool:
    runs_over = window.end_minute <= window.start_minute
    if today == starts_on:
        return window.start_minute <= of_day and (runs_over or of_day < window.end_minute)
    return runs_over and of_day < window.end_minute


@given(place=a_zone_and_windows(), before=st.integers(0, 600))
@example(place=("Europe/London", [Window(6, 90, 180)]), before=60)  # begins in the hour that is left out
@example(place=("Europe/Berlin", [Window(6, 150, 160)]), before=60)  # opens twice
@example(place=("Pacific/Apia", [Window(4, 60, 120)]), before=60)  # on the day that is left out
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_openings_are_those_of_a_walk_through_every_minute(place: tuple[str, list[Window]], before: int) -> None:
    zone, windows = place
    now = datetime.fromisoformat(NEAR_A_CHANGE[zone]) - before * MINUTE
    found = openings(windows, ZoneInfo(zone), now)
    assert found == sorted(found, key=lambda one: one.start)
    for step in range(9 * 1440):
        at = now + step * MINUTE
        expected = open_by_the_wall(windows, ZoneInfo(zone), at)
        assert is_open(windows, zone, int(at.timestamp() * 1000)) == expected, at
        assert any(one.start <= at < one.end for one in found) == expected, at


@given(place=a_zone_and_windows())
@settings(max_examples=30, deadline=None)
def test_what_a_clock_change_does_to_a_window_is_what_counting_its_minutes_gives(
    place: tuple[str, list[Window]],
) -> None:
    zone, windows = place
    for change in clock_changes(windows, ZoneInfo(zone), datetime.fromisoformat(NEAR_A_CHANGE[zone]), most=1):
        said = {(shift.window, shift.real) for shift in change.shifts}
        counted = set()
        low = min(change.before, change.after).date()
        for starts_on in (low - DAY, low, low + DAY):
            for window in windows:
                usual = (window.end_minute - window.start_minute) % 1440 or 1440
                real = minutes_open(window, starts_on, ZoneInfo(zone), change.at)
                if starts_on.weekday() == window.day and real != usual:
                    counted.add((window, real))
        assert said == counted


def minutes_open(window: Window, starts_on: date, zone: ZoneInfo, around: datetime) -> int:
    count = 0
    for step in range(-4 * 1440, 4 * 1440):
        local = (around + step * MINUTE).astimezone(zone)
        if local.date() in (starts_on, starts_on + DAY):
            count += holds(window, local.date(), starts_on, local.hour * 60 + local.minute)
    return count


@pytest.mark.parametrize("zone", sorted(NEAR_A_CHANGE))
def test_every_change_of_the_clock_is_found(zone: str) -> None:
    place, first = ZoneInfo(zone), datetime.fromisoformat(NEAR_A_CHANGE[zone]) - 2 * DAY
    hours = [first + timedelta(hours=n) for n in range(401 * 24)]
    offsets = [moment.astimezone(place).utcoffset() for moment in hours]
    changes = [hours[n + 1] for n in range(len(hours) - 1) if offsets[n] != offsets[n + 1]]
    found = list(transitions(place, first, hours[-1]))
    assert len(found) == len(changes)
    for moment, hour in zip(found, changes, strict=True):
        assert hour - timedelta(hours=1) < moment <= hour
        assert moment.astimezone(place).utcoffset() != (moment - MINUTE).astimezone(place).utcoffset()


WORK = [Window(day, 8 * 60, 18 * 60) for day in range(5)]
NIGHT = [Window(5, 23 * 60, 3 * 60)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("windows", "zone", "now", "says"),
    [
        (WORK, "Europe/Berlin", "2026-11-21T13:00Z",
         "Opens next on Monday 23 November 08:00, until Monday 23 November 18:00 (Europe/Berlin)."),
        (WORK, "Europe/Berlin", "2026-11-23T13:00Z", "Open now, until Monday 23 November 18:00 (Europe/Berlin)."),
        ([Window(day, 0, 1440) for day in range(7)], "UTC", "2026-11-23T13:00Z", "Open at all times (UTC)."),
        ([], "UTC", "2026-11-23T13:00Z", "Open at all times."),
    ],
)  # fmt: skip
def test_it_is_told_when_it_is_open_next(windows: list[Window], zone: str, now: str, says: str) -> None:
    assert told(windows, ZoneInfo(zone), at(now)).now == says


def test_the_two_next_clock_changes_are_told_with_what_they_do() -> None:
    found = told(NIGHT, ZoneInfo("Europe/London"), at("2026-11-21T13:00Z"))
    assert found.changes == (
        "On Sunday 28 March 2027 clocks go forward from 01:00 to 02:00: "
        "Saturday 23:00–03:00 is open for 3 h instead of 4 h.",
        "On Sunday 31 October 2027 clocks go back from 02:00 to 01:00: "
        "Saturday 23:00–03:00 is open for 5 h instead of 4 h.",
    )
    untouched = told(WORK, ZoneInfo("Europe/London"), at("2026-11-21T13:00Z"))
    assert untouched.changes[0].endswith("no window gets longer or shorter.")
    gone = told([Window(6, 60, 120)], ZoneInfo("Europe/London"), at("2026-11-21T13:00Z"))
    assert gone.changes[0].endswith("Sunday 01:00–02:00 does not open.")
    never = told(WORK, ZoneInfo("Asia/Kolkata"), at("2026-11-21T13:00Z"))
    assert never.changes == ("Clocks in Asia/Kolkata do not change in the next year.",)
