"""Moving a policy in its organization's list, and renumbering others when no number is free there. A renumbering can
be asked for first: it is then told, policy by policy, before anything is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from policies import changes, placing
from policies.models import Kind, Level, Policy, UndoStep
from policies.placing import Placement, Slot
from policies.policy_writes import count_change, default_refusal, held
from policies.scopes import Scope, scope_of
from policies.undoing import keep_undo
from portal.common.errors import Conflict, Forbidden, Refused
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Renumbered:
    """One policy that got, or would get, another number because another one needs room."""

    id: UUID
    name: str
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Move:
    """What a move did. `step` undoes it; None when nothing changed."""

    policy: Policy
    before: int
    renumbered: tuple[Renumbered, ...] = ()
    step: UndoStep | None = None


class MovedMeanwhile(Conflict):
    """The policy is not at the number somebody saw it at."""

    def __init__(self, policy: Policy, seen: int) -> None:
        who = policy.changed_by or "Somebody"
        super().__init__(
            f"{who} changed {policy.name} since you saw it: its order was {seen:,} and is {policy.order:,} now. "
            "Your move is not saved."
        )
        self.policy, self.seen = policy, seen


class RenumberingUnseen(Refused):
    """No number is free there; nothing was kept. `renumbered`: what would have to change, lower numbers first.

    Whoever agrees sends `fingerprint` along. `beneath`: how many policies of organizations beneath have numbers that
    global ones would pass.
    """

    def __init__(self, slot: Slot, renumbered: Sequence[Renumbered], beneath: int) -> None:
        count = len(renumbered)
        super().__init__(
            f"No number is free there: {count} {'policy' if count == 1 else 'policies'} would be renumbered. "
            "Look at them, then agree.",
            code="renumbering",
        )
        self.order, self.fingerprint, self.renumbered = slot.order, slot.fingerprint, tuple(renumbered)
        self.beneath = beneath


@transaction.atomic
def reorder_policy(
    reach: Reach, policy_id: UUID, *, place: Placement, seen_order: int | None = None, agreed: str | None = None
) -> Move:
    """Give a policy another place in its organization's list: top, bottom, before or after another, or a number.

    `seen_order`: the number the caller saw it at; another one raises MovedMeanwhile. `agreed`: None renumbers others
    without asking; otherwise the fingerprint of the renumbering that somebody has seen, and RenumberingUnseen is
    raised when it is another one. Raises NotFound, Forbidden, Refused (a default never moves; no policy leaves its
    range; a number that another policy of the same scope has). Locks the organization.
    """
    policy, organization = held(reach, policy_id)
    if policy.is_default:
        raise default_refusal("moved")
    if place.other == policy.id:
        raise Refused("A policy cannot be placed beside itself.", code="same_policy")
    if seen_order is not None and policy.order != seen_order:
        raise MovedMeanwhile(policy, seen_order)
    slot = placing.find_slot(reach, organization, Kind(policy.kind), place, moving=policy)
    if slot.order == policy.order and not slot.renumbered:
        return Move(policy, policy.order)
    renumbered = make_room(reach, organization, slot, moving=policy, agreed=agreed)
    refuse_taken(reach, scope_of(policy), slot.order, but=policy.id)
    before, policy.order, policy.changed_by = policy.order, slot.order, reach.actor.name
    policy.save(update_fields=["order", "changed_by", "changed_at"])
    journal.record(
        reach, "policy.moved", policy, organization_id=organization.id,
        before={"order": before}, after={"order": slot.order},
    )  # fmt: skip
    summary = f"{policy.name} moved from {before:,} to {slot.order:,}"
    count_change(reach, policy, "policy.moved", summary, was_enabled=policy.is_on())
    itself = Renumbered(policy.id, policy.name, before, slot.order)
    return Move(policy, before, renumbered, keep_numbers(reach, organization, summary, [itself, *renumbered]))


def keep_numbers(reach: Reach, organization: Organization, summary: str, moved: Sequence[Renumbered]) -> UndoStep:
    """Keep what gives policies their former numbers back."""
    kind = "policy.moved" if len(moved) == 1 else "policies.renumbered"
    if len(moved) > 1:
        summary = f"{summary}, {len(moved) - 1} others renumbered"
    payload = {"moved": moved_as_kept(moved)}
    return keep_undo(reach, organization_id=organization.id, kind=kind, summary=summary, payload=payload)


def moved_as_kept(moved: Sequence[Renumbered]) -> list[list[object]]:
    return [[str(one.id), one.name, one.old, one.new] for one in moved]


def make_room(
    reach: Reach, organization: Organization, slot: Slot, *, moving: Policy | None = None, agreed: str | None = None
) -> tuple[Renumbered, ...]:
    """Renumber the organization's list when the slot asks for it; told, and pending, as one change.

    `moving` gets its slot in the same statement: its old number may be another's new one. Raises RenumberingUnseen
    (see `reorder_policy`), Forbidden when global policies would be renumbered by who may not.
    """
    if not slot.renumbered:
        return ()
    rows = list(Policy.objects.within(reach).filter(id__in=slot.renumbered).order_by("order", "id"))
    moved = tuple(Renumbered(row.id, row.name, *slot.renumbered[row.id]) for row in rows)
    passing = [row for row in rows if row.level == Level.GLOBAL]
    if passing and not reach.can(Capability.GLOBAL_WRITE, organization.id):
        raise Forbidden(Capability.GLOBAL_WRITE, "There is no free number here without renumbering global policies.")
    if agreed is not None and agreed != slot.fingerprint:
        raise RenumberingUnseen(slot, moved, _passed_beneath(reach, organization, passing, slot))
    also = {} if moving is None else {moving.id: (moving.order, slot.order)}
    placing.renumber({**slot.renumbered, **also}, by=reach.actor.name)
    tell_renumbered(reach, organization, moved, is_global=bool(passing))
    return moved


def tell_renumbered(reach: Reach, organization: Organization, moved: Sequence[Renumbered], *, is_global: bool) -> None:
    """One entry in the System Audit and one pending change for many policies that got other numbers."""
    journal.record(
        reach,
        "policies.renumbered",
        organization,
        organization_id=organization.id,
        before={str(one.id): one.old for one in moved},
        after={str(one.id): one.new for one in moved},
        names={str(one.id): one.name for one in moved},
    )
    scope = Scope(organization.id, Level.GLOBAL if is_global else Level.ORGANIZATION, organization.id)
    summary = f"{len(moved)} policies renumbered"
    changes.bump(reach, scope, verb="policies.renumbered", summary=summary, thing=organization)


def _passed_beneath(reach: Reach, organization: Organization, passing: Sequence[Policy], slot: Slot) -> int:
    """How many policies of organizations beneath, as far as the reach goes, lie between old and new numbers."""
    if not passing:
        return 0
    numbers = [number for row in passing for number in slot.renumbered[row.id]]
    beneath = tenants.beneath(reach, organization.id) - {organization.id}
    rows = Policy.objects.within(reach).filter(organization_id__in=beneath, order__range=(min(numbers), max(numbers)))
    return rows.filter(is_default=False).count()


def refuse_taken(reach: Reach, scope: Scope, order: int, *, but: UUID | None = None) -> None:
    """Raise Refused when another policy of the scope has the number."""
    taken = Policy.objects.within(reach).filter(**scope.columns(), order=order).first()
    if taken is not None and taken.id != but:
        raise Refused(
            f"{taken.name} has the order {order:,} at this scope already. Place yours before or after it.",
            pointer="/order",
            code="order_taken",
        )
