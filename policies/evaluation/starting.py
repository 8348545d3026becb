"""From a proposed change to the thing itself: who may make it, and the two that are made on the spot."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from policies import authoring, catalogue, placing, queries
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.evaluation.smallest import Change
from policies.models import Action, FileRule, Policy
from policies.names import proposed_name
from policies.rows import may_write
from policies.scopes import Scope
from portal.common.errors import NotFound
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Start:
    """A proposed change with what it starts at. `policy`: the row it changes, None for a new one. `missing`: the
    capability that the reader lacks, empty when the change may be made."""

    change: Change
    policy: Policy | None
    organization: Organization
    missing: str = ""


def start_of(reach: Reach, organization: Organization, change: Change) -> Start:
    """Whether the reach may make `change`, which was proposed for a place of `organization`."""
    if change.code == "prioritize":
        return Start(change, None, organization, _lacks(reach, Capability.SETTING_WRITE, organization.id))
    if change.code == "create_permit":
        return Start(change, None, organization, _lacks(reach, Capability.POLICY_WRITE, organization.id))
    if change.code == "add_rule":
        application = queries.application(reach, change.application or "")
        owner = application.organization or organization
        return Start(change, None, owner, _lacks(reach, Capability.APPLICATION_WRITE, owner.id))
    policy = queries.policy(reach, change.policy or "")
    missing = "" if may_write(reach, policy) else _lacking(reach, policy)
    return Start(change, policy, policy.organization, missing)


def _lacks(reach: Reach, capability: Capability, organization_id: UUID) -> str:
    return "" if reach.can(capability, organization_id) else str(capability)


def _lacking(reach: Reach, policy: Policy) -> str:
    return _lacks(reach, Capability.POLICY_WRITE, policy.organization_id) or str(Capability.GLOBAL_WRITE)


@transaction.atomic
def permit_by_rule(
    reach: Reach,
    *,
    scope: Scope,
    os: str,
    name: str,
    rule: RuleDraft,
    target_name: str = "",
    before: UUID | None = None,
    reason: str = "",
    ticket: str = "",
) -> Policy:
    """A new application of one rule, and a policy that permits it at `scope`: at the bottom, or before another policy.

    Raises NotFound, Forbidden, Invalid, Refused, Conflict for a taken name. A pending change until deployed.
    """
    application = catalogue.create_application(
        reach, organization_id=scope.organization_id, name=name, os=os, rules=[rule]
    )
    draft = PolicyDraft(
        name=proposed_name(scope.level, target_name, [name], Action.PERMIT),
        scope=scope,
        applications=(application.id,),
        reason=reason,
        ticket=ticket,
    )
    place = placing.BOTTOM if before is None else placing.before(before)
    return authoring.create_policy(reach, draft=draft, place=place)


def add_rule(reach: Reach, application_id: UUID, *, organization_id: UUID, rule: RuleDraft) -> FileRule:
    """Add a rule to an application of the organization. Raises NotFound, and what `catalogue` does."""
    if queries.application(reach, application_id).organization_id != organization_id:
        raise NotFound
    return catalogue.add_file_rule(reach, application_id, rule=rule)
