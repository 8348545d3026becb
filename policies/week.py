"""The week editor: rows of days and times, as they are typed, added, removed, and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.http import QueryDict

from policies.schedules import PRESETS, Row, rows_of, windows_of

MOST_ROWS = 50
_ROW = re.compile(r"schedule-(\d{1,3})-(?:day|from|to)")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MIDNIGHT, _END_OF_DAY = "00:00", "24:00"


@dataclass(frozen=True, slots=True)
class TypedRow:
    """A row as it stands in the form, right or wrong. A day that ends at midnight is typed as 00:00."""

    days: tuple[int, ...] = ()
    start: str = ""
    end: str = ""
    is_new: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.days or self.start or self.end)

    def fault(self) -> str:
        """What is wrong with it; empty when nothing is."""
        if not self.days:
            return "choose at least one day"
        if not _TIME.fullmatch(self.start) or not _TIME.fullmatch(self.end):
            return "give a start and an end"
        if self.start == self.end != _MIDNIGHT:
            return "start and end must differ; for the whole day write 00:00 to 00:00"
        return ""

    def row(self) -> Row:
        return Row(self.days, self.start, _END_OF_DAY if self.end == _MIDNIGHT else self.end)


def typed_rows(schedule: Iterable[Mapping[str, Any]]) -> list[TypedRow]:
    """Stored windows as the editor shows them."""
    return [_typed(row) for row in rows_of(schedule)]


def _typed(row: Row, *, is_new: bool = False) -> TypedRow:
    return TypedRow(row.days, row.start, _MIDNIGHT if row.end == _END_OF_DAY else row.end, is_new=is_new)


def read_rows(data: Mapping[str, Any]) -> list[TypedRow]:
    """The rows that a form or an address holds, in the order of their numbers; what makes no sense is left out."""
    numbers = sorted({int(found[1]) for name in data if (found := _ROW.fullmatch(name))})
    return [_read(data, number) for number in numbers[:MOST_ROWS]]


def _read(data: Mapping[str, Any], number: int) -> TypedRow:
    name = f"schedule-{number}"
    chosen = data.getlist(f"{name}-day") if isinstance(data, QueryDict) else data.get(f"{name}-day", ())
    days = {int(day) for day in chosen if str(day) in ("0", "1", "2", "3", "4", "5", "6")}
    start, end = (str(data.get(f"{name}-{side}", "")).strip()[:5] for side in ("from", "to"))
    return TypedRow(tuple(sorted(days)), start, end)


def done_to(rows: Sequence[TypedRow], deed: str) -> list[TypedRow]:
    """The rows after a button of the editor: `add`, `remove:2` (counted from 0), `preset:nights`. Others do nothing."""
    what, _, which = deed.partition(":")
    kept = list(rows)
    if what == "add":
        return [*kept, TypedRow(is_new=True)]
    if what == "remove" and which.isdigit():
        return [row for index, row in enumerate(kept) if index != int(which)]
    if what == "preset" and which in PRESETS:
        return [*(row for row in kept if not row.is_empty), _typed(PRESETS[which][1], is_new=True)]
    return kept


class WeekWidget(forms.Widget):
    """Reads the rows; `policies/schedule.html` draws them."""

    template_name = "policies/schedule.html"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[TypedRow]:
        return read_rows(data)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False


class WeekField(forms.Field):
    """Windows as they are stored. A row that is empty is left out; a wrong one is named by its number."""

    widget = WeekWidget

    def clean(self, value: Any) -> list[dict[str, Any]]:
        typed = [(n, row) for n, row in enumerate(cast("list[TypedRow]", value or []), start=1) if not row.is_empty]
        faults = [f"Row {number}: {row.fault()}." for number, row in typed if row.fault()]
        if faults:
            raise forms.ValidationError(faults)
        return windows_of(row.row() for _, row in typed)


def readable(rows: Iterable[TypedRow]) -> list[dict[str, Any]]:
    """The windows of the rows that are right, for telling what they mean while the others are typed."""
    return windows_of(row.row() for row in rows if not row.fault())
