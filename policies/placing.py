"""Where a policy goes in the ordered list, and the number that puts it there. Lower wins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, cast
from uuid import UUID

from django.db import connection
from django.db.models import Q

from policies import queries
from policies.engine import ordering
from policies.engine.ordering import NoGap, OutOfRange, Range
from policies.models import Kind, Level, Policy
from portal.common import clock
from portal.common.errors import NotFound, Refused
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Placement:
    """Top, bottom, just before or after another policy, or at a number of one's own choice."""

    where: Literal["top", "bottom", "before", "after", "order"] = "bottom"
    other: UUID | None = None
    order: int = 0


TOP = Placement("top")
BOTTOM = Placement("bottom")


def before(policy_id: UUID) -> Placement:
    return Placement("before", policy_id)


def after(policy_id: UUID) -> Placement:
    return Placement("after", policy_id)


def at(order: int) -> Placement:
    return Placement("order", order=order)


@dataclass(frozen=True, slots=True)
class Slot:
    """A free number, and how the organization's other policies must be renumbered for it: id -> (old, new)."""

    order: int
    renumbered: dict[UUID, tuple[int, int]]

    @property
    def fingerprint(self) -> str:
        """Says that a plan is the very one somebody has seen: it changes with any number in it."""
        told = sorted((str(policy), old, new) for policy, (old, new) in self.renumbered.items())
        return hashlib.sha256(repr((self.order, told)).encode()).hexdigest()[:16]


@dataclass(slots=True)
class _Unit:
    """Policies of one number that stay together. `fixed`: of an organization above, they stay where they are."""

    order: int
    fixed: bool
    ids: list[UUID]


def find_slot(
    reach: Reach, organization: Organization, kind: Kind, place: Placement, *, moving: Policy | None = None
) -> Slot:
    """The number for a place in the organization's list of one kind. Call it with the organization locked.

    `moving` is the policy that gets it, and takes no room itself. Others are renumbered only when no number is free
    there, and never past a global policy from above: who goes first stays as it is. Raises Refused, NotFound for an
    unknown other.
    """
    builtin = kind == Kind.BUILTIN
    try:
        if place.where == "order":
            ordering.check_order(place.order, builtin=builtin)
            return Slot(place.order, {})
        units = _units(reach, organization, kind, moving)
        if place.where in ("before", "after"):
            return _beside(units, _other(reach, place, kind), place, ordering.range_of(builtin=builtin))
        return _at_end(units, place, builtin)
    except OutOfRange as error:
        raise Refused(str(error), pointer="/order", code="order_out_of_range") from error


def _units(reach: Reach, organization: Organization, kind: Kind, moving: Policy | None) -> list[_Unit]:
    """The organization's policies of one kind and the global ones above it, as evaluated."""
    above = queries.ancestors(reach, organization.id)
    rows = Policy.objects.within(reach).filter(
        Q(organization_id=organization.id) | Q(organization_id__in=above, level=Level.GLOBAL),
        kind=kind,
        is_default=False,
    )
    if moving is not None:
        rows = rows.exclude(id=moving.id)
    policies = list(rows.only("id", "organization_id", "order", "action", "level", "is_default"))
    policies.sort(key=lambda policy: ordering.evaluation_key(cast(Any, policy), True))
    found: list[_Unit] = []
    for policy in policies:
        fixed = policy.organization_id != organization.id
        if found and (found[-1].order, found[-1].fixed) == (policy.order, fixed):
            found[-1].ids.append(policy.id)
        else:
            found.append(_Unit(policy.order, fixed, [policy.id]))
    return found


def _at_end(units: list[_Unit], place: Placement, builtin: bool) -> Slot:
    """100 beyond the organization's own first or last policy; where that leaves the range, right beside it."""
    own = [index for index, unit in enumerate(units) if not unit.fixed]
    find = ordering.slot_top if place.where == "top" else ordering.slot_bottom
    try:
        return Slot(find([units[index].order for index in own], builtin=builtin), {})
    except NoGap:
        slot = _insert(units, own[0] if place.where == "top" else own[-1] + 1, ordering.range_of(builtin=builtin))
    if slot is None:
        raise Refused(
            f"There is no free number at the {place.where}: a global policy, which yours never pass, holds the last "
            "one of the range. Give yours the same number: of equal orders the stricter action decides first.",
            code="no_gap",
        )
    return slot


def _beside(units: list[_Unit], other: Policy, place: Placement, within: Range) -> Slot:
    """Just before or after another policy: of the own list, or a global one above that applies here too.

    After a global one goes by its number: own policies of that number stay before, so that none is renumbered for it.
    """
    at = next((index for index, unit in enumerate(units) if other.id in unit.ids), None)
    if at is None:
        raise Refused(f"{other.name} is not in this organization's list.", pointer="/place", code="other_list")
    if place.where == "after":
        at += 1
        while units[at - 1].fixed and at < len(units) and units[at].order == other.order:
            at += 1
    slot = _insert(units, at, within)
    if slot is None:
        raise Refused(
            f"There is no free number {place.where} {other.name} ({other.order:,}), because global policies stand "
            "there. Give yours the same number as one of them: of equal orders the stricter action decides first.",
            code="no_gap",
        )
    return slot


def _insert(units: list[_Unit], at: int, within: Range) -> Slot | None:
    """A number before `units[at]`: the midpoint, else the own ones around it make room. None when they cannot."""
    lower = units[at - 1].order if at else None
    higher = units[at].order if at < len(units) else None
    if lower is None and higher is not None and higher > within.first:
        return Slot(max(within.first, higher - ordering.STEP), {})
    if higher is None and lower is not None and lower < within.last:
        return Slot(min(within.last, lower + ordering.STEP), {})
    if lower is not None and higher is not None and higher - lower >= 2:
        return Slot(ordering.slot_between(lower, higher), {})
    return _respaced(units, at, within)


def _respaced(units: list[_Unit], at: int, within: Range) -> Slot | None:
    """The own policies between the nearest global ones, a hundred apart if it fits, with a free number at `at`."""
    start, end = at, at
    while start and not units[start - 1].fixed:
        start -= 1
    while end < len(units) and not units[end].fixed:
        end += 1
    floor = units[start - 1].order if start else None
    ceiling = units[end].order if end < len(units) else within.last + 1
    numbers = _spread(end - start + 1, floor, ceiling, within)
    if numbers is None:
        return None
    free = numbers.pop(at - start)
    moved = {
        policy: (unit.order, number)
        for unit, number in zip(units[start:end], numbers, strict=True)
        for policy in unit.ids
        if unit.order != number
    }
    return Slot(free, moved)


def _spread(count: int, floor: int | None, ceiling: int, within: Range) -> list[int] | None:
    """`count` numbers above `floor` (from the range's start without one) and below `ceiling`, 100 apart if they fit."""
    first = within.first if floor is None else floor + 1
    room = ceiling - first
    if room < count:
        return None
    step = min(ordering.STEP, (room - 1) // max(1, count - 1) if floor is None else room // count)
    begin = within.first if floor is None else floor + step
    return [begin + step * index for index in range(count)]


def _other(reach: Reach, place: Placement, kind: Kind) -> Policy:
    if place.other is None:
        raise NotFound
    other: Policy | None = Policy.objects.within(reach).filter(id=place.other).first()
    if other is None:
        raise NotFound
    if other.is_default:
        if place.where == "before":
            raise Refused("The default is always last. Move to the bottom instead.", code="default_is_last")
        raise Refused("Nothing comes after the default. Move to the bottom instead.", code="default_is_last")
    if other.kind != kind:
        raise Refused(
            "A policy on built-in applications and one on custom applications cannot change places. To put custom "
            "policies first, change the agent setting Prioritize Built-In Applications.",
            code="other_range",
        )
    return other


def renumber(moved: dict[UUID, tuple[int, int]], *, by: str) -> None:
    """Give many policies their new numbers in one statement. Call it with the organization locked."""
    if not moved:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            'UPDATE policies_policy SET "order" = v.number, changed_by = %s, changed_at = %s'
            " FROM unnest(%s::uuid[], %s::int[]) AS v (id, number) WHERE policies_policy.id = v.id",
            [by, clock.now(), list(moved), [new for _, new in moved.values()]],
        )
