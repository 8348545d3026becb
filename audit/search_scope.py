"""From a search's terms to what the store is asked: names become numbers, within the reach of the one who asks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, F, Lookup, Q, Value

from audit.event_rows import uuid_or_none
from audit.search_terms import EventTerms, NameTerm
from portal.common import clock
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach

MOST_IDS = 20_000


class LikeAnyCase(Lookup):
    """`name ILIKE pattern`: the one place where a person's pattern meets the names of things."""

    lookup_name = "like_any_case"
    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_parameters = self.process_lhs(compiler, connection)
        right, right_parameters = self.process_rhs(compiler, connection)
        return f"{left} ILIKE {right}", [*left_parameters, *right_parameters]


@dataclass(frozen=True, slots=True)
class Scope:
    """A search ready for the store: which organizations (numbers), from when to when, which conditions."""

    organizations: list[int]
    low: datetime
    high: datetime
    filters: dict[str, Any]

    @property
    def parameters(self) -> list[Any]:
        return [self.organizations, self.low, self.high, json.dumps(self.filters)]


def scope_of(reach: Reach, terms: EventTerms, organization: Organization | None) -> Scope:
    """What the store is asked. Names are looked up within the reach: an unknown one matches nothing."""
    now = clock.now()
    oldest = now - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    low = max(terms.low or oldest, oldest)
    high = min(terms.high or now + timedelta(minutes=1), now + timedelta(days=1))
    numbers = organization_numbers(reach, organization, children=terms.include_children)
    filters = _filters(terms)
    for name in terms.names:
        if name.on == "organization":
            wanted = set(_numbers_named(reach, Organization, name, children=terms.include_children))
            numbers = [n for n in numbers if (n in wanted) != name.negative]
        else:
            model = ComputerGroup if name.on == "group" else Computer
            key = ("not_" if name.negative else "") + name.on + "s"
            found = _numbers_named(reach, model, name)
            filters[key] = found if key not in filters else _combined(filters[key], found, name.negative)
    return Scope(numbers, low, max(low, high), _resolved(filters))


def _resolved(filters: dict[str, Any]) -> dict[str, Any]:
    """The filters with their text terms as ids of files and paths, where not too many match."""
    if "text" not in filters:
        return filters
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_resolve(%s::jsonb, %s)", [json.dumps(filters), MOST_IDS])
        found: Any = cursor.fetchone()[0]
    resolved: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return resolved


def organization_numbers(reach: Reach, organization: Organization | None, *, children: bool) -> list[int]:
    """The numbers of the organizations whose events may be read here: one (with those beneath), or all in reach."""
    readable = (
        dict(Organization.objects.within(reach).values_list("id", "number"))
        if reach.everything
        else {o: reach.numbers[o] for o in reach.with_capability(Capability.AUDIT_READ) if o in reach.numbers}
    )
    if organization is None:
        return sorted(readable.values())
    wanted = tenants.beneath(reach, organization.id) if children else {organization.id}
    return sorted(number for key, number in readable.items() if key in wanted)


def _filters(terms: EventTerms) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for key, wanted in (("outcomes", terms.outcomes), ("actions", terms.actions), ("modes", terms.modes)):
        if wanted is not None:
            filters[key] = sorted(wanted)
    for key, unwanted in (("not_outcomes", terms.not_outcomes), ("not_actions", terms.not_actions)):
        if unwanted:
            filters[key] = sorted(unwanted)
    if terms.flags:
        filters["flags"] = terms.flags
    if terms.texts:
        filters["text"] = [{"on": t.on, "any": t.patterns, "not": t.negative} for t in terms.texts]
    return filters


def _combined(before: list[int], found: list[int], negative: bool) -> list[int]:
    return sorted({*before, *found} if negative else set(before) & set(found))


def _numbers_named(
    reach: Reach,
    model: type[Organization] | type[ComputerGroup] | type[Computer],
    term: NameTerm,
    *,
    children: bool = False,
) -> list[int]:
    condition = Q(id__in=[key for text in term.names if (key := uuid_or_none(text))])
    for pattern in term.patterns:
        condition |= Q(LikeAnyCase(F("name"), Value(pattern)))
    if model is not Computer:
        condition |= Q(slug__in=term.names)
    found: list[Any] = list(model.objects.within(reach).filter(condition))
    if model is Organization and children:
        beneath = {key for one in found for key in tenants.beneath(reach, one.id)}
        found = list(Organization.objects.within(reach).filter(id__in=beneath))
    numbers = {int(thing.number) for thing in found}
    for thing in found:
        if isinstance(thing, ComputerGroup) and thing.is_global:
            numbers |= set(_held_by(reach, thing))
    return sorted(numbers)


def _held_by(reach: Reach, group: ComputerGroup) -> Iterable[int]:
    """The numbers of the groups whose computers a global group holds."""
    held = ComputerGroup.objects.within(reach).filter(os=group.os, name__startswith=group.name_prefix)
    return held.values_list("number", flat=True)
