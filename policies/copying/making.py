"""Keeping what was mapped: copies arrive disabled at the bottom, all of one target organization or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db import transaction

from policies import authoring
from policies.baselines.bringing import lock_organizations
from policies.copying.mapping import MappedPolicy, MappedTarget, map_copies, policies_to_copy
from policies.copying.wishes import Wishes
from policies.drafts import PolicyDraft, draft_of
from policies.duplicating import copy_application
from policies.models import Application, Policy, UndoStep
from policies.scopes import FoundScope
from policies.undoing import keep_undo
from portal.common.errors import Conflict, Invalid, Refused
from portal.tenants import journal
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

_LEFT_BEHIND = {"owner": "", "reason": "", "ticket": ""}


@dataclass(slots=True)
class Copied:
    """What became of one target organization. `fault`: why nothing was kept there. `left_out`: names, with why."""

    organization: Organization
    made: list[Policy] = field(default_factory=list)
    applications: list[Application] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    step: UndoStep | None = None
    fault: str = ""


@transaction.atomic
def copy_policies(
    reach: Reach, policy_ids: Sequence[UUID], targets: Sequence[FoundScope], *, wishes: Wishes | None = None
) -> list[Copied]:
    """Copy the policies to every target: disabled, at the bottom, in the same relative order.

    All copies of one target organization are kept, or none and why. Raises NotFound, Forbidden, Invalid; Refused when
    there is nothing to copy. Locks the target organizations, by id.
    """
    wishes = wishes or Wishes()
    map_copies(reach, policies_to_copy(reach, policy_ids), targets, wishes)  # what may not be done is said unlocked
    lock_organizations(reach, {target.scope.organization_id for target in targets})
    policies = policies_to_copy(reach, policy_ids)
    mapped = map_copies(reach, policies, targets, wishes)
    if not any(target.copies for target in mapped):
        raise Refused("None of these policies fits there. The mapping says why.", code="nothing_to_copy")
    by_organization: dict[UUID, list[MappedTarget]] = {}
    for one in mapped:
        by_organization.setdefault(one.target.scope.organization_id, []).append(one)
    copied = [_copy_to(reach, mine) for mine in by_organization.values()]
    _tell_sources(reach, policies, copied)
    return copied


def _copy_to(reach: Reach, targets: list[MappedTarget]) -> Copied:
    """The copies of one organization; on any refusal nothing of them."""
    organization = targets[0].target.organization
    result = Copied(organization, left_out=[_why(one) for t in targets for one in t.policies if not one.is_copied])
    try:
        with transaction.atomic():
            _make(reach, targets, result)
    except (Refused, Conflict, Invalid) as error:
        result.made, result.applications, result.step, result.fault = [], [], None, error.message
    return result


def _make(reach: Reach, targets: list[MappedTarget], result: Copied) -> None:
    organization = result.organization
    copies: dict[UUID, UUID] = {}
    for target in targets:
        for one in target.copies:
            applications = tuple(_application(reach, one, organization, copies, result))
            result.made.append(authoring.create_policy(reach, draft=_draft(one, organization, applications)))
    if not result.made:
        return
    names = [policy.name for policy in result.made]
    journal.record(
        reach,
        "policies.copied",
        organization,
        organization_id=organization.id,
        after={"policies": names, "applications": [a.name for a in result.applications]},
    )
    result.step = keep_undo(
        reach,
        organization_id=organization.id,
        kind="policies.copied",
        summary=f"{len(names)} policies copied to {organization.name}",
        payload={
            "policies": [[str(p.id), p.name, p.changed_at.isoformat()] for p in result.made],
            "applications": [[str(a.id), a.name, a.changed_at.isoformat()] for a in result.applications],
        },
    )


def _application(
    reach: Reach, one: MappedPolicy, organization: Organization, copies: dict[UUID, UUID], result: Copied
) -> list[UUID]:
    """The applications of a copy, in their order; those that are to be copied are copied once."""
    found = []
    for mapped in one.applications:
        if mapped.use == "leave_out":
            continue
        if mapped.to is not None:
            found.append(mapped.to.id)
            continue
        source = mapped.application
        if source.id not in copies:
            made = copy_application(reach, source, organization_id=organization.id, with_notes=False)
            copies[source.id] = made.id
            result.applications.append(made)
        found.append(copies[source.id])
    return found


def _draft(one: MappedPolicy, organization: Organization, applications: tuple[UUID, ...]) -> PolicyDraft:
    scope = one.scope
    if scope is None:
        raise Refused(f"{one.policy.name} has no place there.")
    draft = replace(draft_of(one.policy, applications), scope=scope.scope, enabled=False, name=one.name)
    if one.policy.organization_id == organization.id:
        return draft
    behind = {**_LEFT_BEHIND, **({"notify": ()} if hasattr(draft, "notify") else {})}
    return replace(draft, **behind)  # type: ignore[arg-type]


def _why(one: MappedPolicy) -> tuple[str, str]:
    return one.policy.name, " ".join(one.misfits) or "Left out."


def _tell_sources(reach: Reach, policies: Sequence[Policy], copied: Sequence[Copied]) -> None:
    """Each organization whose policies were copied is told; not to whom: that is another tenant's name."""
    reached = [one for one in copied if one.made]
    if not reached:
        return
    by_source: dict[UUID, list[Policy]] = {}
    for policy in policies:
        by_source.setdefault(policy.organization_id, []).append(policy)
    for organization_id, mine in by_source.items():
        own = any(one.organization.id == organization_id for one in reached)
        others = sum(one.organization.id != organization_id for one in reached)
        journal.record(
            reach,
            "policies.copied_out",
            mine[0].organization,
            organization_id=organization_id,
            after={"policies": [policy.name for policy in mine], "here": own, "other_organizations": others},
        )
