"""Pure pieces: the naming convention, the rows of the week editor, the shape of a ringfence."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict

from policies import ringfence, schedules, week
from policies.models import Action, Level
from policies.names import name_warning, proposed_name
from policies.week import TypedRow, WeekField


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


def test_rows_of_the_week_hold_the_same_windows() -> None:
    windows: list[dict[str, Any]] = [
        *({"day": day, "start": "08:00", "end": "18:00"} for day in (0, 1, 2, 4)),
        {"day": 5, "start": "22:00", "end": "24:00"},
    ]
    rows = schedules.rows_of(windows)
    assert [(row.days, row.start, row.end) for row in rows] == [
        ((0, 1, 2, 4), "08:00", "18:00"),
        ((5,), "22:00", "24:00"),
    ]
    assert schedules.windows_of(rows) == windows
    assert schedules.day_words((0, 1, 2, 4)) == "Mon, Tue, Wed, Fri"
    assert schedules.day_words((0, 1, 2)) == "Mon to Wed"
    assert schedules.window_values(windows)[0].end_minute == 18 * 60


def typed(days: str = "", start: str = "", end: str = "", *, row: int = 0) -> QueryDict:
    data = QueryDict(mutable=True)
    data.setlist(f"schedule-{row}-day", list(days))
    data[f"schedule-{row}-from"], data[f"schedule-{row}-to"] = start, end
    return data


@pytest.mark.parametrize(
    ("days", "start", "end", "says"),
    [
        ("", "08:00", "18:00", "at least one day"),
        ("01", "08:00", "", "a start and an end"),
        ("01", "8", "18:00", "a start and an end"),
        ("01", "08:00", "08:00", "must differ"),
        ("01", "22:00", "06:00", ""),
        ("6", "00:00", "00:00", ""),
    ],
)
def test_a_wrong_row_is_told_by_its_number(days: str, start: str, end: str, says: str) -> None:
    rows = week.read_rows(typed(days, start, end))
    assert says in rows[0].fault()
    assert bool(says) == bool(rows[0].fault())
    if says:
        with pytest.raises(ValidationError, match="Row 1"):
            WeekField().clean(rows)


def test_midnight_as_an_end_is_the_end_of_the_day_and_an_empty_row_is_nothing() -> None:
    rows = [*week.read_rows(typed("6", "00:00", "00:00")), TypedRow()]
    assert WeekField().clean(rows) == [{"day": 6, "start": "00:00", "end": "24:00"}]
    assert week.typed_rows(WeekField().clean(rows)) == rows[:1]


def test_the_buttons_of_the_editor_add_and_remove_and_lose_nothing() -> None:
    rows = [TypedRow((0,), "08:00", "wrong"), TypedRow((1,), "09:00", "10:00")]
    assert week.done_to(rows, "add") == [*rows, TypedRow(is_new=True)]
    assert week.done_to(rows, "remove:0") == rows[1:]
    assert week.done_to(rows, "preset:nights")[:2] == rows
    assert week.done_to(rows, "remove:9") == week.done_to(rows, "preset:none") == week.done_to(rows, "") == rows


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
