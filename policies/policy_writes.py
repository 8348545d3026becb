"""What the writes of policies share: holding a policy, what a default refuses, one change of one held policy.

Nothing here requires a capability or opens a transaction: the activities that call it do, and hold the organization.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from policies import changes, queries
from policies.baselines import guard
from policies.drafts import PolicyDraft, draft_of
from policies.models import Policy, PolicyApplication, Status
from policies.scopes import Scope, lock_organization, require_write, scope_of
from portal.common.errors import NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


def held(reach: Reach, policy_id: UUID, *, also: Scope | None = None) -> tuple[Policy, Organization]:
    """The policy as it is once its organization is locked; it, and `also`, may be written. Raises NotFound,
    Forbidden, Refused when `also` is in another organization or a baseline is followed without an exception.
    """
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
    guard.check_may_change(reach, policy)
    return policy, organization


def default_refusal(done: str) -> Refused:
    return Refused(
        f"The default of a group cannot be {done}: what no policy permits must be denied. "
        "To let something run, permit it above.",
        code="default_is_fixed",
    )


def switch(reach: Reach, policy: Policy, *, enabled: bool) -> None:
    """Enable or disable a held policy that is not so yet; an armed one is armed no more."""
    was_on = policy.enabled
    policy.enabled, policy.armed_until, policy.changed_by = enabled, None, reach.actor.name
    policy.save(update_fields=["enabled", "armed_until", "changed_by", "changed_at"])
    verb = "policy.enabled" if enabled else "policy.disabled"
    before, after = {"enabled": was_on}, {"enabled": enabled}
    journal.record(reach, verb, policy, organization_id=policy.organization_id, before=before, after=after)
    summary = f"{policy.name} {'enabled' if enabled else 'disabled'}"
    count_change(reach, policy, verb, summary, was_enabled=True)


def restate(reach: Reach, policy: Policy, status: Status) -> None:
    """Give a held policy another status."""
    before, policy.status, policy.changed_by = {"status": policy.status}, status, reach.actor.name
    policy.save(update_fields=["status", "changed_by", "changed_at"])
    after = {"status": status}
    journal.record(reach, "policy.changed", policy, organization_id=policy.organization_id, before=before, after=after)
    count_change(reach, policy, "policy.changed", f"{policy.name} changed", was_enabled=policy.is_on())


def remove(reach: Reach, policy: Policy) -> None:
    """Delete a held policy."""
    was = told(draft_of(policy, queries.application_ids(reach, policy.id)), policy.order)
    journal.record(reach, "policy.deleted", policy, organization_id=policy.organization_id, before=was)
    count_change(reach, policy, "policy.deleted", f"{policy.name} deleted", was_enabled=policy.is_on())
    policy.delete()


def set_applications(policy: Policy, applications: Sequence[UUID]) -> None:
    """Make these, in this order, the applications of a held policy."""
    policy.policy_applications.all().delete()
    PolicyApplication.rows.bulk_create(
        PolicyApplication(
            organization_id=policy.organization_id, policy=policy, application_id=application_id, position=position
        )
        for position, application_id in enumerate(applications)
    )


def count_change(
    reach: Reach, policy: Policy, verb: str, summary: str, was_enabled: bool, *, also: Scope | None = None
) -> None:
    """Count a pending change. A disabled policy is in no bundle: saving it raises the revision only."""
    if not (policy.enabled or was_enabled):
        changes.touch(reach, policy.organization_id)
        return
    scope = scope_of(policy)
    changes.bump(reach, scope, verb=verb, summary=summary, thing=policy)
    if also is not None and also != scope:
        changes.bump(reach, also, verb=verb, summary=summary, thing=policy)


def told(draft: PolicyDraft, order: int) -> dict[str, Any]:
    """What the System Audit keeps of a policy."""
    kept = {name: value for name, value in draft.columns().items() if value not in (None, "", [])}
    return {**kept, "applications": [str(a) for a in draft.applications], "order": order}
