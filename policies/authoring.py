"""Writing policies: create, change, enable, disable, delete, move. Each in one transaction with the organization
locked, told to the System Audit, and counted as a pending change. Reads stand in `queries`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from policies import changes, placing, queries
from policies.drafts import PolicyDraft, check_draft, draft_of
from policies.fitting import checked_applications
from policies.models import Kind, Level, Policy, PolicyApplication
from policies.placing import Placement, Slot
from policies.scopes import Scope, lock_organization, require_write, scope_of
from portal.common.errors import Forbidden, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

_DEFAULT_FIELDS = frozenset({"log", "allow_request"})


@transaction.atomic
def create_policy(reach: Reach, *, draft: PolicyDraft, place: Placement = placing.BOTTOM) -> Policy:
    """Create a policy in the draft's scope, at `place` in its organization's list.

    Raises NotFound, Forbidden, Invalid, Refused. Locks the organization. When no number is free at the place,
    the organization's list of that kind is renumbered in the same transaction.
    """
    require_write(reach, Capability.POLICY_WRITE, draft.scope)
    organization = lock_organization(reach, draft.scope.organization_id)
    check_draft(draft, organization.time_zone)
    kind = _kind_of(reach, organization, draft)
    slot = placing.find_slot(reach, organization, kind, place)
    _respace(reach, organization, slot)
    _refuse_taken(reach, draft.scope, slot.order)
    owner = draft.owner or (reach.actor.name if reach.actor.kind == "user" else "")
    draft = replace(draft, owner=owner)
    policy = Policy(**draft.columns(), kind=kind, order=slot.order)
    policy.created_by = policy.changed_by = reach.actor.name
    policy.save(force_insert=True)
    _set_applications(policy, draft.applications)
    journal.record(reach, "policy.created", policy, organization_id=organization.id, after=_told(draft, policy.order))
    _count_change(reach, policy, "policy.created", f"{policy.name} created", was_enabled=False)
    return policy


@transaction.atomic
def update_policy(reach: Reach, policy_id: UUID, *, draft: PolicyDraft) -> Policy:
    """Make the policy what `draft` says; its scope may change within its organization, its order stays if free there.

    Raises NotFound, Forbidden, Invalid, Refused (a default takes `log` and `allow_request` only; a policy does
    not change between built-in and custom applications). Locks the organization.
    """
    policy, organization = _locked(reach, policy_id, also=draft.scope)
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
    was_on = was.enabled or policy.is_armed()
    for name, value in draft.columns().items():
        setattr(policy, name, value)
    policy.armed_until = policy.armed_until if was.enabled == draft.enabled else None
    policy.changed_by = reach.actor.name
    policy.save(update_fields=[*draft.columns(), "armed_until", "order", "changed_by", "changed_at"])
    if was.applications != draft.applications:
        _set_applications(policy, draft.applications)
    before, after = _differences(_told(was, policy.order), _told(draft, policy.order))
    journal.record(reach, "policy.changed", policy, organization_id=organization.id, before=before, after=after)
    _count_change(reach, policy, "policy.changed", f"{policy.name} changed", was_on, also=was.scope)
    return policy


@transaction.atomic
def set_enabled(reach: Reach, policy_id: UUID, *, enabled: bool) -> Policy:
    """Enable or disable a policy. Raises NotFound, Forbidden, Refused for a default. Locks the organization."""
    policy, organization = _locked(reach, policy_id)
    if policy.enabled == enabled:
        return policy
    if policy.is_default:
        raise _default_refusal("disabled")
    policy.enabled, policy.armed_until, policy.changed_by = enabled, None, reach.actor.name
    policy.save(update_fields=["enabled", "armed_until", "changed_by", "changed_at"])
    verb = "policy.enabled" if enabled else "policy.disabled"
    journal.record(
        reach,
        verb,
        policy,
        organization_id=organization.id,
        before={"enabled": not enabled},
        after={"enabled": enabled},
    )
    summary = f"{policy.name} {'enabled' if enabled else 'disabled'}"
    _count_change(reach, policy, verb, summary, was_enabled=True)
    return policy


@transaction.atomic
def delete_policy(reach: Reach, policy_id: UUID) -> None:
    """Delete a policy. Raises NotFound, Forbidden, Refused for a default. Locks the organization."""
    policy, organization = _locked(reach, policy_id)
    if policy.is_default:
        raise _default_refusal("deleted")
    was = _told(draft_of(policy, queries.application_ids(reach, policy.id)), policy.order)
    journal.record(reach, "policy.deleted", policy, organization_id=organization.id, before=was)
    _count_change(
        reach, policy, "policy.deleted", f"{policy.name} deleted", was_enabled=policy.enabled or policy.is_armed()
    )
    policy.delete()


@transaction.atomic
def move_policy(reach: Reach, policy_id: UUID, *, place: Placement) -> Policy:
    """Give a policy another place in its organization's list: top, bottom, before or after another, or a number.

    Raises NotFound, Forbidden, Refused (a default never moves; no policy leaves its range; a number that another
    policy of the same scope has). Locks the organization.
    """
    policy, organization = _locked(reach, policy_id)
    if policy.is_default:
        raise _default_refusal("moved")
    if place.other == policy.id:
        raise Refused("A policy cannot be placed beside itself.", code="same_policy")
    slot = placing.find_slot(reach, organization, Kind(policy.kind), place, moving=policy)
    if slot.order == policy.order and not slot.renumbered:
        return policy
    _respace(reach, organization, slot, moving=policy)
    _refuse_taken(reach, scope_of(policy), slot.order, but=policy.id)
    before, policy.order, policy.changed_by = policy.order, slot.order, reach.actor.name
    policy.save(update_fields=["order", "changed_by", "changed_at"])
    journal.record(
        reach,
        "policy.moved",
        policy,
        organization_id=organization.id,
        before={"order": before},
        after={"order": slot.order},
    )
    summary = f"{policy.name} moved from {before:,} to {slot.order:,}"
    _count_change(reach, policy, "policy.moved", summary, was_enabled=policy.enabled)
    return policy


def _locked(reach: Reach, policy_id: UUID, *, also: Scope | None = None) -> tuple[Policy, Organization]:
    """The policy as it is once its organization is locked. Raises NotFound, Forbidden."""
    seen = queries.policy(reach, policy_id)
    require_write(reach, Capability.POLICY_WRITE, scope_of(seen))
    if also is not None:
        if also.organization_id != seen.organization_id:
            raise Refused("A policy stays in its organization. Create one there.", pointer="/scope/target")
        require_write(reach, Capability.POLICY_WRITE, also)
    organization = lock_organization(reach, seen.organization_id)
    policy: Policy | None = Policy.objects.within(reach).filter(id=seen.id).first()
    if policy is None:
        raise NotFound
    return policy, organization


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


def _default_refusal(done: str) -> Refused:
    return Refused(
        f"The default of a group cannot be {done}: what no policy permits must be denied. "
        "To let something run, permit it above.",
        code="default_is_fixed",
    )


def _change_scope(reach: Reach, policy: Policy, organization: Organization, scope: Scope) -> None:
    """Keep the order where it is free at the new scope, else take the next place after it."""
    taken = Policy.objects.within(reach).filter(**scope.columns(), order=policy.order).exclude(id=policy.id).first()
    if taken is None:
        return
    slot = placing.find_slot(reach, organization, Kind(policy.kind), placing.after(taken.id), moving=policy)
    _respace(reach, organization, slot, moving=policy)
    policy.order = slot.order


def _refuse_taken(reach: Reach, scope: Scope, order: int, *, but: UUID | None = None) -> None:
    taken = Policy.objects.within(reach).filter(**scope.columns(), order=order).first()
    if taken is not None and taken.id != but:
        raise Refused(
            f"{taken.name} has the order {order:,} at this scope already. Place yours before or after it.",
            pointer="/order",
            code="order_taken",
        )


def _respace(reach: Reach, organization: Organization, slot: Slot, *, moving: Policy | None = None) -> None:
    """Renumber the organization's list when the slot asks for it; told, and pending, as one change.

    `moving` gets its slot in the same statement: its old number may be another's new one.
    """
    if not slot.renumbered:
        return
    moved = list(Policy.objects.within(reach).filter(id__in=slot.renumbered).order_by("order", "id"))
    level = Level.ORGANIZATION
    if any(policy.level == Level.GLOBAL for policy in moved):
        if not reach.can(Capability.GLOBAL_WRITE, organization.id):
            raise Forbidden(
                Capability.GLOBAL_WRITE, "There is no free number here without renumbering global policies."
            )
        level = Level.GLOBAL
    also = {} if moving is None else {moving.id: (moving.order, slot.order)}
    placing.renumber({**slot.renumbered, **also})
    names = {str(policy.id): policy.name for policy in moved}
    journal.record(
        reach,
        "policies.renumbered",
        organization,
        organization_id=organization.id,
        before={str(i): old for i, (old, _) in slot.renumbered.items()},
        after={str(i): new for i, (_, new) in slot.renumbered.items()},
        names=names,
    )
    scope = Scope(organization.id, level, organization.id)
    summary = f"{len(moved)} policies renumbered"
    changes.bump(reach, scope, verb="policies.renumbered", summary=summary, thing=organization)


def _set_applications(policy: Policy, applications: Sequence[UUID]) -> None:
    policy.policy_applications.all().delete()
    PolicyApplication.rows.bulk_create(
        PolicyApplication(
            organization_id=policy.organization_id, policy=policy, application_id=application_id, position=position
        )
        for position, application_id in enumerate(applications)
    )


def _count_change(
    reach: Reach, policy: Policy, verb: str, summary: str, was_enabled: bool, *, also: Scope | None = None
) -> None:
    """A disabled policy is in no bundle: saving it raises the revision only."""
    if not (policy.enabled or policy.is_armed() or was_enabled):
        changes.touch(reach, policy.organization_id)
        return
    scope = scope_of(policy)
    changes.bump(reach, scope, verb=verb, summary=summary, thing=policy)
    if also is not None and also != scope:
        changes.bump(reach, also, verb=verb, summary=summary, thing=policy)


def _told(draft: PolicyDraft, order: int) -> dict[str, Any]:
    told = {name: value for name, value in draft.columns().items() if value not in (None, "", [])}
    return {**told, "applications": [str(a) for a in draft.applications], "order": order}


def _differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {n: before.get(n) for n in names}, {n: after.get(n) for n in names}
