"""Whose effective settings a change would alter: done, compared, and taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from policies.compile import Places
from policies.compile.places import load_all_places
from policies.models import Level
from policies.models.settings import SettingName, shown_value
from policies.scopes import Scope
from policies.settings import unset_value
from portal.tenants import queries as tenants
from portal.tenants.models import Computer
from portal.tenants.reach import Reach

_NOBODY = UUID(int=0)
_Values = tuple[bool, int | None, bool]
_Spot = tuple[UUID, UUID, str, UUID]  # organization, group, operating system, computer (or nobody in particular)


@dataclass(frozen=True, slots=True)
class Altered:
    """Computers of one group for which a setting becomes another: the texts are `on`, `off` or `60 s`."""

    name: str
    organization: str
    group: str
    before: str
    after: str
    computers: int


@dataclass(frozen=True, slots=True)
class Effects:
    """`altered`: most computers first. `computers`: how many in all, of so many `looked_at`."""

    altered: tuple[Altered, ...]
    computers: int
    looked_at: int


class _TakenBack(Exception):
    """Ends the trial."""


def effects(reach: Reach, scope: Scope, write: Callable[[], Any]) -> Effects:
    """What `write` would alter at the computers under `scope`'s organization (for a global scope also of those beneath
    that are in reach). Nothing stays of it. Raises what `write` raises."""
    organizations = _under(reach, scope)
    spots = _spots(reach, organizations)
    before = _values(reach, organizations, spots)
    after: dict[_Spot, _Values] = {}
    try:
        with transaction.atomic():
            write()
            after = _values(reach, organizations, spots)
            raise _TakenBack
    except _TakenBack:
        pass
    names = load_all_places(reach, organizations)
    altered = sorted(_altered(spots, before, after, names), key=lambda one: (-one.computers, one.name, one.group))
    touched = sum(number for spot, number in spots.items() if before[spot] != after[spot])
    return Effects(tuple(altered), touched, sum(spots.values()))


def _under(reach: Reach, scope: Scope) -> Collection[UUID]:
    return tenants.beneath(reach, scope.organization_id) if scope.level == Level.GLOBAL else {scope.organization_id}


def _spots(reach: Reach, organizations: Collection[UUID]) -> dict[_Spot, int]:
    """How many computers stand at each spot; one with a setting of its own is a spot by itself. Two statements."""
    places = load_all_places(reach, organizations)
    own = {s.target_computer_id for place in places.values() for s in place.settings if s.target_computer_id}
    computers = Computer.objects.within(reach).filter(organization_id__in=organizations).order_by()
    columns = ("organization_id", "group_id", "os")
    found: dict[_Spot, int] = {}
    for organization, group, os, number in computers.exclude(id__in=own).values_list(*columns).annotate(n=Count("id")):
        found[organization, group, os, _NOBODY] = number
    for computer, organization, group, os in computers.filter(id__in=own).values_list("id", *columns):
        found[organization, group, os, computer] = 1
    return found


def _values(reach: Reach, organizations: Iterable[UUID], spots: Iterable[_Spot]) -> dict[_Spot, _Values]:
    places = load_all_places(reach, organizations)
    found = {}
    for spot in spots:
        organization, group, os, computer = spot
        now = places[organization].settings_of(Computer(id=computer, group_id=group, os=os))
        found[spot] = (now.prioritize_builtin, now.checkin_seconds, now.log_permits)
    return found


def _altered(
    spots: dict[_Spot, int], before: dict[_Spot, _Values], after: dict[_Spot, _Values], places: dict[UUID, Places]
) -> Iterator[Altered]:
    counts: dict[tuple[str, UUID, UUID, str, str], int] = defaultdict(int)
    for spot, number in spots.items():
        for name, was, now in zip(_NAMES, before[spot], after[spot], strict=True):
            if was != now:
                counts[name, spot[0], spot[1], _text(name, was), _text(name, now)] += number
    for (changed, organization, group, was_text, now_text), number in counts.items():
        there = places[organization]
        yield Altered(
            SettingName(changed).label,
            there.organization.name,
            there.groups[group].name if group in there.groups else "",
            was_text,
            now_text,
            number,
        )


_NAMES = (SettingName.PRIORITIZE_BUILTIN, SettingName.CHECKIN_SECONDS, SettingName.LOG_PERMITS)


def _text(name: str, value: bool | int | None) -> str:
    return shown_value(name, unset_value(name) if value is None else value)
