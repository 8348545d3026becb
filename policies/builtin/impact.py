"""What an update of the catalogue means for each organization: the policies on what changes, and their computers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count

from policies import queries
from policies.builtin.differences import Difference
from policies.models import Level, Policy, PolicyApplication
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach


@dataclass(slots=True)
class OrganizationImpact:
    """One organization. `policies`: enabled ones there, or global ones above, with the names of what changes in them.

    `computers`: of that system in the scopes of these policies, each scope's once.
    """

    organization: Organization
    policies: list[tuple[Policy, list[str]]] = field(default_factory=list)
    computers: int = 0


def impact(reach: Reach, found: Sequence[Difference]) -> list[OrganizationImpact]:
    """By organization, most computers first. New applications touch nobody: no policy names them yet."""
    touched = {one.application: one.name for one in found if one.application and _reaches_bundles(one)}
    if not touched:
        return []
    names: dict[UUID, list[str]] = defaultdict(list)
    links = PolicyApplication.objects.within(reach).filter(application_id__in=touched)
    for policy_id, application_id in links.values_list("policy_id", "application_id"):
        names[policy_id].append(touched[application_id])
    policies = list(queries.policies(reach).filter(id__in=names, enabled=True))
    organizations = {o.id: o for o in Organization.objects.within(reach)}
    result: dict[UUID, OrganizationImpact] = {}
    for policy in policies:
        for organization_id in _organizations_of(reach, policy):
            if organization_id in organizations:
                one = result.setdefault(organization_id, OrganizationImpact(organizations[organization_id]))
                one.policies.append((policy, sorted(names[policy.id])))
    _count_computers(reach, result)
    return sorted(result.values(), key=lambda one: (-one.computers, one.organization.name.casefold()))


def _reaches_bundles(one: Difference) -> bool:
    return one.changes_rules or one.reordered or any(label == "Name" for label, *_ in one.fields)


def _organizations_of(reach: Reach, policy: Policy) -> set[UUID]:
    return tenants.beneath(reach, policy.organization_id) if policy.level == Level.GLOBAL else {policy.organization_id}


def _count_computers(reach: Reach, found: dict[UUID, OrganizationImpact]) -> None:
    """Everybody where a policy is wide, else the computers of the groups and the single ones named."""
    rows = Computer.objects.within(reach).filter(organization_id__in=found).order_by()
    per_group = {
        (organization, group): count
        for organization, group, count in rows.values_list("organization_id", "group_id").annotate(n=Count("id"))
    }
    for organization_id, one in found.items():
        mine = {group: count for (organization, group), count in per_group.items() if organization == organization_id}
        if any(policy.level in (Level.GLOBAL, Level.ORGANIZATION) for policy, _ in one.policies):
            one.computers = sum(mine.values())
            continue
        groups = {policy.target_group_id for policy, _ in one.policies if policy.level == Level.GROUP}
        single = {policy.target_computer_id for policy, _ in one.policies if policy.target_computer_id}
        outside = rows.filter(id__in=single, organization_id=organization_id).exclude(group_id__in=groups)
        one.computers = sum(mine.get(group, 0) for group in groups if group) + outside.count()
