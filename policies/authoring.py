"""Writing policies: create, change, enable, disable, delete, move. Each in one transaction with the organization
locked, told to the System Audit, and counted as a pending change. Reads stand in `queries`.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from policies import moving, placing, queries
from policies.drafts import PolicyDraft, check_draft, draft_of
from policies.fitting import checked_applications
from policies.models import Kind, Policy
from policies.moving import Renumbered, make_room, refuse_taken
from policies.placing import Placement
from policies.policy_writes import count_change, default_refusal, held, remove, set_applications, switch, told
from policies.scopes import Scope, lock_organization, require_write
from policies.undoing import keep_undo
from portal.common.errors import Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

_DEFAULT_FIELDS = frozenset({"log", "allow_request"})


@transaction.atomic
def create_policy(
    reach: Reach, *, draft: PolicyDraft, place: Placement = placing.BOTTOM, agreed: str | None = None
) -> Policy:
    """Create a policy in the draft's scope, at `place` in its organization's list.

    Raises NotFound, Forbidden, Invalid, Refused. Locks the organization. When no number is free at the place,
    others are renumbered in the same transaction, and a step is kept that undoes both; `agreed` is as in
    `moving.reorder_policy`: None does not ask.
    """
    require_write(reach, Capability.POLICY_WRITE, draft.scope)
    organization = lock_organization(reach, draft.scope.organization_id)
    check_draft(draft, organization.time_zone)
    kind = _kind_of(reach, organization, draft)
    slot = placing.find_slot(reach, organization, kind, place)
    renumbered = make_room(reach, organization, slot, agreed=agreed)
    refuse_taken(reach, draft.scope, slot.order)
    owner = draft.owner or (reach.actor.name if reach.actor.kind == "user" else "")
    draft = replace(draft, owner=owner)
    policy = Policy(**draft.columns(), kind=kind, order=slot.order)
    policy.created_by = policy.changed_by = reach.actor.name
    policy.save(force_insert=True)
    set_applications(policy, draft.applications)
    journal.record(reach, "policy.created", policy, organization_id=organization.id, after=told(draft, policy.order))
    count_change(reach, policy, "policy.created", f"{policy.name} created", was_enabled=False)
    if renumbered:
        _keep_creation(reach, policy, renumbered)
    return policy


def _keep_creation(reach: Reach, policy: Policy, renumbered: tuple[Renumbered, ...]) -> None:
    keep_undo(
        reach,
        organization_id=policy.organization_id,
        kind="policy.created",
        summary=f"{policy.name} created at {policy.order:,}, {len(renumbered)} others renumbered",
        payload={
            "policy": str(policy.id),
            "changed_at": policy.changed_at.isoformat(),
            "moved": moving.moved_as_kept(renumbered),
        },
    )


@transaction.atomic
def update_policy(reach: Reach, policy_id: UUID, *, draft: PolicyDraft) -> Policy:
    """Make the policy what `draft` says; its scope may change within its organization, its order stays if free there.

    Raises NotFound, Forbidden, Invalid, Refused (a default takes `log` and `allow_request` only; a policy does
    not change between built-in and custom applications). Locks the organization.
    """
    policy, organization = held(reach, policy_id, also=draft.scope)
    was = draft_of(policy, queries.application_ids(reach, policy.id))
    if was == draft:
        return policy
    if policy.is_default:
        _check_default(was, draft)
    else:
        check_draft(draft, organization.time_zone, was=was)
        _check_kept_kind(policy, _kind_of(reach, organization, draft))
    if was.scope != draft.scope:
        _change_scope(reach, policy, organization, draft.scope)
    was_on = policy.is_on()
    for name, value in draft.columns().items():
        setattr(policy, name, value)
    policy.armed_until = policy.armed_until if was.enabled == draft.enabled else None
    policy.changed_by = reach.actor.name
    policy.save(update_fields=[*draft.columns(), "armed_until", "order", "changed_by", "changed_at"])
    if was.applications != draft.applications:
        set_applications(policy, draft.applications)
    before, after = _differences(told(was, policy.order), told(draft, policy.order))
    journal.record(reach, "policy.changed", policy, organization_id=organization.id, before=before, after=after)
    count_change(reach, policy, "policy.changed", f"{policy.name} changed", was_on, also=was.scope)
    return policy


@transaction.atomic
def set_enabled(reach: Reach, policy_id: UUID, *, enabled: bool) -> Policy:
    """Enable or disable a policy. Raises NotFound, Forbidden, Refused for a default. Locks the organization."""
    policy, _ = held(reach, policy_id)
    if policy.enabled == enabled:
        return policy
    if policy.is_default:
        raise default_refusal("disabled")
    switch(reach, policy, enabled=enabled)
    return policy


@transaction.atomic
def delete_policy(reach: Reach, policy_id: UUID) -> None:
    """Delete a policy. Raises NotFound, Forbidden, Refused for a default. Locks the organization."""
    policy, _ = held(reach, policy_id)
    if policy.is_default:
        raise default_refusal("deleted")
    remove(reach, policy)


def move_policy(reach: Reach, policy_id: UUID, *, place: Placement) -> Policy:
    """`moving.reorder_policy` for who has nothing to ask and nothing to show."""
    return moving.reorder_policy(reach, policy_id, place=place).policy


def _kind_of(reach: Reach, organization: Organization, draft: PolicyDraft) -> Kind:
    return Kind(checked_applications(reach, organization, draft)[0].kind)


def _check_kept_kind(policy: Policy, kind: Kind) -> None:
    if kind != policy.kind:
        raise Refused(
            f"This policy is on {policy.kind} applications and stays so: its order lies in their range. "
            f"Create another policy for {kind} applications.",
            pointer="/applications",
            code="other_range",
        )


def _check_default(was: PolicyDraft, draft: PolicyDraft) -> None:
    names = [f.name for f in fields(PolicyDraft) if f.name not in _DEFAULT_FIELDS]
    fixed = [name for name in names if getattr(was, name) != getattr(draft, name)]
    if fixed:
        raise Refused(
            "The default of a group decides whatever no policy matched. Only whether it logs, and whether people may "
            "ask, can be changed.",
            pointer=f"/{fixed[0]}",
            code="default_is_fixed",
        )


def _change_scope(reach: Reach, policy: Policy, organization: Organization, scope: Scope) -> None:
    """Keep the order where it is free at the new scope, else take the next place after it."""
    taken = Policy.objects.within(reach).filter(**scope.columns(), order=policy.order).exclude(id=policy.id).first()
    if taken is None:
        return
    slot = placing.find_slot(reach, organization, Kind(policy.kind), placing.after(taken.id), moving=policy)
    renumbered = make_room(reach, organization, slot, moving=policy)
    policy.order = slot.order
    if renumbered:
        moving.keep_numbers(reach, organization, f"{policy.name} went to another scope", renumbered)


def _differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {n: before.get(n) for n in names}, {n: after.get(n) for n in names}
