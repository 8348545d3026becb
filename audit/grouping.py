"""Events counted by one or two of their fields: who, what, where most often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit import search
from audit.search_scope import scope_of
from audit.search_terms import EventTerms
from audit.words import ActionType, Outcome
from portal.common.errors import FieldError, Invalid, Refused
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach

FIELDS = ("effect", "action_type", "organization", "group", "computer", "user", "path", "sha256", "certificate",
          "process", "created_by", "policy", "application")  # fmt: skip
MOST_EVENTS = 100_000
MOST_GROUPS = 500
_LONGEST_MS = 8_000
_NUMBERED: dict[str, Any] = {"organization": Organization, "group": ComputerGroup, "computer": Computer}


@dataclass(frozen=True, slots=True)
class Group:
    """One value of each field asked for (names of organizations, groups and computers), and how often it occurs."""

    values: dict[str, str]
    number: int
    first_at: datetime
    last_at: datetime


def fields_of(text: str) -> tuple[str, ...]:
    """The fields of `group_by=`: one or two, separated by a comma. Raises Invalid."""
    fields = tuple(part.strip() for part in text.split(","))
    if len(fields) > 2 or len(set(fields)) != len(fields) or set(fields) - set(FIELDS):
        raise Invalid([FieldError("/group_by", f"One or two different fields of {', '.join(FIELDS)}.")])
    return fields


def grouped(reach: Reach, terms: EventTerms, fields: Sequence[str]) -> list[Group]:
    """The groups with the most events first: at most 500, of at most 100,000 matches. Raises Refused when too wide."""
    scope = scope_of(reach, terms, None)
    rows = search.in_brief(
        "SELECT * FROM audit_grouped(%s::int[], %s, %s, %s::jsonb, %s::text[], %s, %s)",
        [*scope.parameters, list(fields), MOST_EVENTS, MOST_GROUPS],
        longest_ms=_LONGEST_MS,
    )
    if rows is None:
        raise Refused("This is too much to group. Narrow the time.", pointer="/from")
    named = [_names(reach, name, [row[index] for row in rows]) for index, name in enumerate(fields)]
    return [
        Group(
            {name: named[index].get(row[index], row[index]) for index, name in enumerate(fields)},
            row[2],
            row[3],
            row[4],
        )
        for row in rows
    ]


def _names(reach: Reach, name: str, values: Sequence[str]) -> dict[str, str]:
    if name == "effect":
        return {value: Outcome(int(value)).word for value in set(values)}
    if name == "action_type":
        return {value: ActionType(int(value)).word for value in set(values)}
    if name in _NUMBERED:
        numbers = [int(value) for value in set(values)]
        found = _NUMBERED[name].objects.within(reach).filter(number__in=numbers)
        return {str(thing.number): thing.name for thing in found}
    return {}
