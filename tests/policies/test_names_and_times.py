"""Pure pieces: the naming convention, schedules as people type them, the shape of a ringfence."""

from __future__ import annotations

from typing import Any

import pytest

from policies import ringfence, schedules
from policies.models import Action, Level
from policies.names import name_warning, proposed_name
from policies.schedules import UnreadableLine, read, typed


@pytest.mark.parametrize(
    ("level", "target", "applications", "action", "name"),
    [
        (Level.ORGANIZATION, "able-moose", ["Office"], Action.PERMIT, "org-office-permit"),
        (Level.GROUP, "finance", ["QuickBooks Desktop"], Action.PERMIT_RINGFENCED,
         "grp-finance-quickbooks-desktop-permit-ringfenced"),
        (Level.GLOBAL, "northwind-it", ["Known-bad utilities"], Action.DENY, "glb-known-bad-utilities-deny"),
        (Level.COMPUTER, "CAD-01", ["Acme CAD", "Acme Viewer"], Action.PERMIT, "cmp-cad-01-acme-cad-permit"),
        (Level.GROUP, "finance", [], Action.PERMIT, "grp-finance-application-permit"),
        (Level.ORGANIZATION, "x", ["日本語"], Action.PERMIT, "org-permit"),
    ],
)  # fmt: skip
def test_a_name_is_proposed_by_the_convention(
    level: Level, target: str, applications: list[str], action: Action, name: str
) -> None:
    assert proposed_name(level, target, applications, action) == name


@pytest.mark.parametrize(
    ("name", "level", "says"),
    [
        ("grp-finance-xero-permit", Level.GROUP, ""),
        ("org-office-permit-baseline", Level.ORGANIZATION, ""),
        ("grp-finance-xero-permit", Level.COMPUTER, "begin with cmp-"),
        ("Xero for finance", Level.GROUP, "Names read"),
        ("grp-xero", Level.GROUP, "Names read"),
    ],
)
def test_a_name_that_breaks_the_convention_is_warned_about(name: str, level: Level, says: str) -> None:
    assert says in name_warning(name, level)
    assert bool(says) == bool(name_warning(name, level))


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("Mon-Fri 08:00-18:00", [0, 1, 2, 3, 4], "08:00", "18:00"),
        ("sat, sun 8:00 - 12:00", [5, 6], "08:00", "12:00"),
        ("Fri-Mon 22:00-06:00", [0, 4, 5, 6], "22:00", "06:00"),
        ("daily 00:00-24:00", [0, 1, 2, 3, 4, 5, 6], "00:00", "24:00"),
        ("Wednesday 09:30-10:00", [2], "09:30", "10:00"),
    ],
)
def test_a_schedule_is_read_as_people_write_it(text: str, days: list[int], start: str, end: str) -> None:
    found = read(text)
    assert sorted(window["day"] for window in found) == days
    assert {(window["start"], window["end"]) for window in found} == {(start, end)}
    assert sorted(read(typed(found)), key=str) == sorted(found, key=str)


@pytest.mark.parametrize("text", ["sometimes", "Mon 08:00", "Mon-Tue-Wed 08:00-09:00", "Mo 08:00-09:00", "Mon 8-9-10"])
def test_a_line_that_means_nothing_is_named_by_its_number(text: str) -> None:
    with pytest.raises(UnreadableLine, match="Line 2"):
        read(f"Mon 08:00-09:00\n{text}")


def test_days_that_follow_each_other_are_joined() -> None:
    windows: list[dict[str, Any]] = [{"day": day, "start": "08:00", "end": "18:00"} for day in (0, 1, 2, 4)]
    assert typed(windows) == "Mon,Tue,Wed,Fri 08:00-18:00"
    assert typed(windows[:3]) == "Mon-Wed 08:00-18:00"
    assert schedules.window_values(windows)[0].end_minute == 18 * 60


@pytest.mark.parametrize(
    ("fence", "pointer"),
    [
        (None, ""),
        ({}, ""),
        ({"magic": {"mode": "off"}}, "/magic"),
        ({"files": {"mode": "sometimes"}}, "/files/mode"),
        ({"files": {"mode": "enforce", "entries": "c:\\a"}}, "/files/entries"),
        ({"files": {"mode": "enforce", "entries": [" "]}}, "/files/entries/0"),
        ({"files": {"mode": "enforce", "more": 1}}, "/files/more"),
    ],
)
def test_a_ringfence_of_the_wrong_shape_is_told_where(fence: Any, pointer: str) -> None:
    assert [place for place, _ in ringfence.faults(fence)] == [pointer]


def test_a_ringfence_of_the_right_shape_has_no_fault() -> None:
    fence = {"network": {"mode": "enforce", "entries": ["*.acme.example", "10.0.0.0/8"]}, "files": {"mode": "log_only"}}
    assert list(ringfence.faults(fence)) == []
