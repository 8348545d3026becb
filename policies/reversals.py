"""How the steps of the policies list are undone: exactly, or not at all with the reason. See `policies.undoing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from policies import placing, restoring
from policies.baselines import guard
from policies.models import Level, Policy, Status
from policies.moving import Renumbered, tell_renumbered
from policies.policy_writes import count_change, remove, restate, switch
from policies.scopes import require_write, scope_of
from policies.undoing import reversal
from portal.common.errors import Conflict
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

_NAMED = 5


@reversal("policy.moved")
@reversal("policies.renumbered")
def put_back(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Give every policy the number it had."""
    moved = _moved(payload)
    rows = _rows(reach, [one.id for one in moved])
    _refuse_changed(_moved_since(reach, moved, rows))
    _renumber_back(reach, moved, rows)


@reversal("policy.created")
def uncreate(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Delete the policy that needed room, and give the others the numbers they had."""
    moved, created = _moved(payload), UUID(payload["policy"])
    rows = _rows(reach, [one.id for one in moved])
    made = _rows(reach, [created]).get(created)
    changed = _moved_since(reach, moved, rows, leaving=created)
    if made is not None and made.changed_at != datetime.fromisoformat(payload["changed_at"]):
        changed.insert(0, f"{made.name} was changed by {made.changed_by or 'somebody'}")
    _refuse_changed(changed)
    if made is not None:
        remove(reach, made)
    _renumber_back(reach, moved, rows)


@reversal("policies.enabled")
@reversal("policies.disabled")
def switch_back(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Switch every policy back; one that was armed is armed again."""
    kept, enabled = payload["was"], bool(payload["enabled"])
    rows = _rows(reach, [UUID(one) for one, _, _ in kept])
    changed = _gone(rows, [(UUID(one), name) for one, name, _ in kept])
    changed += [f"{row.name} is {_SWITCHED[row.enabled]} already" for row in rows.values() if row.enabled != enabled]
    _refuse_changed(changed)
    _refuse_following(reach, rows)
    for one, _, armed_until in kept:
        policy = rows[UUID(one)]
        switch(reach, policy, enabled=not enabled)
        if armed_until is not None:
            policy.armed_until = datetime.fromisoformat(armed_until)
            policy.save(update_fields=["armed_until"])


_SWITCHED = {True: "enabled", False: "disabled"}


@reversal("policies.restated")
def restate_back(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Give every policy the status it had."""
    kept, status = payload["was"], payload["status"]
    rows = _rows(reach, [UUID(one) for one, _, _ in kept])
    changed = _gone(rows, [(UUID(one), name) for one, name, _ in kept])
    changed += [
        f"{row.name} is set to {Status(row.status).label.lower()}" for row in rows.values() if row.status != status
    ]
    _refuse_changed(changed)
    _refuse_following(reach, rows)
    for one, _, was in kept:
        restate(reach, rows[UUID(one)], Status(was))


@reversal("policies.deleted")
def undelete(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Make the policies again, with the ids and orders they had."""
    for row in payload["rows"]:
        policy = restoring.policy_of(row)
        require_write(reach, Capability.POLICY_WRITE, scope_of(policy))
        guard.check_may_change(reach, policy)
    _refuse_changed(restoring.obstacles(reach, payload["rows"]))
    restoring.restore(reach, payload["rows"])


def _moved(payload: Mapping[str, Any]) -> list[Renumbered]:
    return [Renumbered(UUID(policy), name, old, new) for policy, name, old, new in payload["moved"]]


def _rows(reach: Reach, policy_ids: Sequence[UUID]) -> dict[UUID, Policy]:
    """Those of the policies that are still there; each may be written. Raises NotFound, Forbidden."""
    found = {row.id: row for row in Policy.objects.within(reach).filter(id__in=policy_ids).order_by("order", "id")}
    for row in found.values():
        require_write(reach, Capability.POLICY_WRITE, scope_of(row))
    return found


def _refuse_following(reach: Reach, rows: Mapping[UUID, Policy]) -> None:
    """Raise Refused for one that follows a baseline by now: undoing is no way around an exception that has ended."""
    for row in rows.values():
        guard.check_may_change(reach, row)


def _gone(rows: Mapping[UUID, Policy], wanted: Sequence[tuple[UUID, str]]) -> list[str]:
    return [f"{name} was deleted" for policy, name in wanted if policy not in rows]


def _moved_since(
    reach: Reach, moved: Sequence[Renumbered], rows: Mapping[UUID, Policy], *, leaving: UUID | None = None
) -> list[str]:
    """What stands in the way of the former numbers. `leaving` is about to be deleted, and takes none."""
    changed = _gone(rows, [(one.id, one.name) for one in moved])
    changed += [
        f"{one.name} was moved to {rows[one.id].order:,}"
        for one in moved
        if one.id in rows and rows[one.id].order != one.new
    ]
    former = {(_target(rows[one.id]), one.old) for one in moved if one.id in rows}
    others = Policy.objects.within(reach).filter(order__in={order for _, order in former}).exclude(id__in=rows)
    if leaving is not None:
        others = others.exclude(id=leaving)
    changed += [
        f"{other.name} has taken {other.order:,}" for other in others if (_target(other), other.order) in former
    ]
    return changed


def _target(row: Policy) -> tuple[str, UUID]:
    return (row.level, row.target_id)


def _renumber_back(reach: Reach, moved: Sequence[Renumbered], rows: Mapping[UUID, Policy]) -> None:
    """The former numbers again: told like the renumbering itself, or like a move when it is one policy."""
    back = [Renumbered(one.id, rows[one.id].name, one.new, one.old) for one in moved]
    placing.renumber({one.id: (one.old, one.new) for one in back}, by=reach.actor.name)
    first = rows[back[0].id]
    if len(back) > 1:
        is_global = any(row.level == Level.GLOBAL for row in rows.values())
        tell_renumbered(reach, first.organization, back, is_global=is_global)
        return
    before, after = {"order": back[0].old}, {"order": back[0].new}
    journal.record(reach, "policy.moved", first, organization_id=first.organization_id, before=before, after=after)
    summary = f"{first.name} moved back from {back[0].old:,} to {back[0].new:,}"
    count_change(reach, first, "policy.moved", summary, was_enabled=first.is_on())


def _refuse_changed(changed: Sequence[str]) -> None:
    """Raise Conflict when anything changed since, naming it."""
    if not changed:
        return
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    raise Conflict(f"Not undone, because something changed since: {'; '.join(changed[:_NAMED])}{more}.")
