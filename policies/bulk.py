"""One change of many policies: all of them or none, an entry in the System Audit each, one step undoes the lot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from policies.baselines import guard
from policies.models import Policy, Status, UndoStep
from policies.policy_writes import default_refusal, remove, restate, switch
from policies.restoring import kept_rows
from policies.scopes import lock_organization, require_write, scope_of
from policies.undoing import keep_undo
from portal.common.errors import FieldError, Forbidden, Invalid, NotFound, PortalError, Refused
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Done:
    """What a bulk change did. `changed` leaves out what was so already; `step` is None when that was everything."""

    changed: tuple[UUID, ...]
    step: UndoStep | None = None


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why one of the policies cannot be changed so. `id` is None for one that is not in reach."""

    id: UUID | None
    name: str
    reason: str


class NotAll(Refused):
    """Some of the policies cannot be changed so, and none was."""

    def __init__(self, obstacles: Sequence[Obstacle], total: int) -> None:
        super().__init__(
            f"Nothing was changed: {len(obstacles)} of {total} cannot be. Leave them out, then repeat it.",
            code="not_all",
        )
        self.obstacles, self.total = tuple(obstacles), total

    @property
    def errors(self) -> tuple[FieldError, ...]:
        return tuple(FieldError("/policies", f"{one.name}: {one.reason}") for one in self.obstacles)


@transaction.atomic
def enable_policies(reach: Reach, policy_ids: Sequence[UUID], *, organization_id: UUID) -> Done:
    """Enable policies of one organization. Raises NotFound, Invalid, NotAll. Locks the organization."""
    return _switch(reach, policy_ids, organization_id, enabled=True)


@transaction.atomic
def disable_policies(reach: Reach, policy_ids: Sequence[UUID], *, organization_id: UUID) -> Done:
    """Disable policies of one organization. Raises NotFound, Invalid, NotAll. Locks the organization."""
    return _switch(reach, policy_ids, organization_id, enabled=False)


@transaction.atomic
def delete_policies(reach: Reach, policy_ids: Sequence[UUID], *, organization_id: UUID) -> Done:
    """Delete policies of one organization. Raises NotFound, Invalid, NotAll. Locks the organization."""
    policies = _held(reach, policy_ids, organization_id, lambda policy: _no_default(policy, "deleted"))
    rows = kept_rows(reach, policies)
    for policy in policies:
        remove(reach, policy)
    return _done(reach, organization_id, "policies.deleted", policies, "deleted", {"rows": rows})


@transaction.atomic
def restate_policies(reach: Reach, policy_ids: Sequence[UUID], *, organization_id: UUID, status: Status) -> Done:
    """Give policies of one organization a status. Raises NotFound, Invalid, NotAll. Locks the organization."""
    policies = _held(reach, policy_ids, organization_id, lambda policy: _no_default(policy, "given another status"))
    changing = [policy for policy in policies if policy.status != status]
    was = [[str(policy.id), policy.name, policy.status] for policy in changing]
    for policy in changing:
        restate(reach, policy, status)
    words = f"set to {Status(status).label.lower()}"
    return _done(reach, organization_id, "policies.restated", changing, words, {"was": was, "status": status})


def _switch(reach: Reach, policy_ids: Sequence[UUID], organization_id: UUID, *, enabled: bool) -> Done:
    verb = "enabled" if enabled else "disabled"
    policies = _held(reach, policy_ids, organization_id, None if enabled else lambda p: _no_default(p, "disabled"))
    changing = [policy for policy in policies if policy.enabled != enabled]
    armed = [policy.armed_until.isoformat() if policy.armed_until else None for policy in changing]
    was = [[str(policy.id), policy.name, until] for policy, until in zip(changing, armed, strict=True)]
    for policy in changing:
        switch(reach, policy, enabled=enabled)
    return _done(reach, organization_id, f"policies.{verb}", changing, verb, {"was": was, "enabled": enabled})


def _held(
    reach: Reach, policy_ids: Sequence[UUID], organization_id: UUID, check: Callable[[Policy], None] | None
) -> list[Policy]:
    """The policies as they are once the organization is locked, lower order first. Raises NotAll, with every reason."""
    wanted = list(dict.fromkeys(policy_ids))
    if not wanted or len(wanted) > MOST_AT_ONCE:
        raise Invalid([FieldError("/policies", f"Choose 1 to {MOST_AT_ONCE} policies.")])
    reach.require(Capability.POLICY_READ, organization_id)
    lock_organization(reach, organization_id)
    rows = Policy.objects.within(reach).filter(id__in=wanted).select_related("organization")
    found = {policy.id: policy for policy in rows.order_by("order", "id")}
    obstacles = [Obstacle(None, str(one), "It is no longer here.") for one in wanted if one not in found]
    for policy in found.values():
        reason = _reason_against(reach, policy, organization_id, check)
        if reason:
            obstacles.append(Obstacle(policy.id, policy.name, reason))
    if obstacles:
        raise NotAll(obstacles, len(wanted))
    return list(found.values())


def _reason_against(reach: Reach, policy: Policy, organization_id: UUID, check: Callable[[Policy], None] | None) -> str:
    if policy.organization_id != organization_id:
        return f"It comes from {policy.organization}; change it there."
    try:
        require_write(reach, Capability.POLICY_WRITE, scope_of(policy))
        guard.check_may_change(reach, policy)
        if check is not None:
            check(policy)
    except (Forbidden, NotFound, Refused) as error:
        return PortalError.__str__(error)
    return ""


def _no_default(policy: Policy, done: str) -> None:
    if policy.is_default:
        raise default_refusal(done)


def _done(
    reach: Reach, organization_id: UUID, kind: str, changed: Sequence[Policy], words: str, payload: dict[str, object]
) -> Done:
    if not changed:
        return Done(())
    what = changed[0].name if len(changed) == 1 else f"{len(changed)} policies"
    step = keep_undo(reach, organization_id=organization_id, kind=kind, summary=f"{what} {words}", payload=payload)
    return Done(tuple(policy.id for policy in changed), step)
