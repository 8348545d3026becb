"""What the mapping screen offers: scopes to copy from, and targets to copy to."""

from __future__ import annotations

from collections import defaultdict

from policies.models import Level
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import ComputerGroup, Organization
from portal.tenants.reach import Reach

Grouped = list[tuple[str, list[tuple[str, str]]]]


def target_choices(reach: Reach) -> Grouped:
    """`level:target` values per organization where policies may be written: itself, then its groups. By name."""
    mine = [o for o in tenants.organizations(reach) if reach.can(Capability.POLICY_WRITE, o.id)]
    groups: dict[object, list[ComputerGroup]] = defaultdict(list)
    for group in tenants.groups(reach).filter(organization_id__in=[o.id for o in mine], is_global=False):
        groups[group.organization_id].append(group)
    return [
        (
            organization.name,
            [(f"{Level.ORGANIZATION}:{organization.id}", f"{organization.name}, each to its level")]
            + [(f"{Level.GROUP}:{group.id}", _label(group)) for group in groups[organization.id]],
        )
        for organization in mine
    ]


def source_choices(reach: Reach, organization: Organization) -> list[tuple[str, str]]:
    """The scopes of one organization that can be copied as a whole."""
    found = [(f"{Level.ORGANIZATION}:{organization.id}", f"{organization.name}, the organization")]
    groups = tenants.groups(reach, organization.id).filter(is_global=False)
    return found + [(f"{Level.GROUP}:{group.id}", _label(group)) for group in groups]


def _label(group: ComputerGroup) -> str:
    system = "" if group.os == "windows" else f" ({group.get_os_display()})"
    return f"{group.name}{system}"
