"""Where a policy goes in the ordered list, and the number that puts it there. Lower wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db import connection

from policies.engine import ordering
from policies.engine.ordering import NoGap, OutOfRange
from policies.models import Kind, Level, Policy
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


def find_slot(
    reach: Reach, organization: Organization, kind: Kind, place: Placement, *, moving: Policy | None = None
) -> Slot:
    """The number for a place in the organization's list of one kind. Call it with the organization locked.

    `moving` is the policy that gets it, and takes no room itself. Raises Refused, NotFound for an unknown other.
    """
    builtin = kind == Kind.BUILTIN
    own = _own_orders(reach, organization.id, kind, moving)
    taken = sorted(set(own.values()))
    try:
        if place.where == "order":
            ordering.check_order(place.order, builtin=builtin)
            return Slot(place.order, {})
        if place.where in ("before", "after"):
            return _beside(reach, organization, kind, place, own)
        find, rank = (ordering.slot_top, 0) if place.where == "top" else (ordering.slot_bottom, len(taken))
        try:
            return Slot(find(taken, builtin=builtin), {})
        except NoGap:
            return _respaced(own, rank, builtin)
    except OutOfRange as error:
        raise Refused(str(error), pointer="/order", code="order_out_of_range") from error


def _beside(reach: Reach, organization: Organization, kind: Kind, place: Placement, own: dict[UUID, int]) -> Slot:
    """Just before or after another policy: of the own list, or a global one above that applies here too."""
    other = _other(reach, place, kind)
    theirs = _inherited_orders(reach, other, organization, kind)
    try:
        return Slot(_next_to(other.order, {*own.values(), *theirs}, place, kind), {})
    except NoGap as full:
        if other.organization_id != organization.id:
            raise Refused(
                f"There is no free number {place.where} {other.name} ({other.order:,}), which is a global policy. "
                "Give yours the same number: of equal orders the stricter action decides first.",
                code="no_gap",
            ) from full
    rank = sum(1 for order in set(own.values()) if order < other.order + (place.where == "after"))
    return _respaced(own, rank, kind == Kind.BUILTIN)


def _next_to(order: int, taken: set[int], place: Placement, kind: Kind) -> int:
    """A free number between `order` and the next taken one on the wanted side. Raises NoGap."""
    own = ordering.range_of(builtin=kind == Kind.BUILTIN)
    if place.where == "before":
        lower = [n for n in taken if n < order]
        slot = ordering.slot_between(max(lower), order) if lower else max(own.first, order - ordering.STEP)
    else:
        higher = [n for n in taken if n > order]
        slot = ordering.slot_between(order, min(higher)) if higher else min(own.last, order + ordering.STEP)
    if slot == order:
        raise NoGap(f"There is no room {place.where} {order:,}.")
    return slot


def _respaced(own: dict[UUID, int], rank: int, builtin: bool) -> Slot:
    """The whole list a hundred apart, with a free number at `rank` of its distinct orders."""
    new = ordering.renumbered(list(own.values()), gap_at=rank, builtin=builtin)
    moved = {i: (old, order) for (i, old), order in zip(own.items(), new, strict=True) if old != order}
    return Slot(ordering.order_of_rank(rank, len(set(own.values())) + 1, builtin=builtin), moved)


def _own_orders(reach: Reach, organization_id: UUID, kind: Kind, moving: Policy | None) -> dict[UUID, int]:
    rows = Policy.objects.within(reach).filter(organization_id=organization_id, kind=kind, is_default=False)
    if moving is not None:
        rows = rows.exclude(id=moving.id)
    return dict(rows.order_by("order", "id").values_list("id", "order"))


def _inherited_orders(reach: Reach, other: Policy, organization: Organization, kind: Kind) -> set[int]:
    """Orders of the global policies beside `other` when that is one from above; they stand in the same list."""
    if other.organization_id == organization.id:
        return set()
    above = Policy.objects.within(reach).filter(
        organization_id=other.organization_id, level=Level.GLOBAL, kind=kind, is_default=False
    )
    return set(above.values_list("order", flat=True))


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


def renumber(moved: dict[UUID, tuple[int, int]]) -> None:
    """Give many policies their new numbers in one statement. Call it with the organization locked."""
    if not moved:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            'UPDATE policies_policy SET "order" = v.number FROM unnest(%s::uuid[], %s::int[]) AS v (id, number)'
            " WHERE policies_policy.id = v.id",
            [list(moved), [new for _, new in moved.values()]],
        )
