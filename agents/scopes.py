"""The scope of a deployment: one level and its target, checked against a reach, and the computers in it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.models import ComputerKey
from agents.models.identity import KeyState
from policies.models import Level
from policies.scopes import find_scope
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach


@dataclass(frozen=True, slots=True)
class DeploymentScope:
    """Where a deployment goes. `organization`: whose deployment it is (a global one: the MSP's)."""

    level: Level
    target_id: UUID
    name: str
    organization: Organization
    group: ComputerGroup | None = None


def resolve(reach: Reach, *, level: str, target_id: UUID | str) -> DeploymentScope:
    """The scope, when the reach may deploy there. Raises NotFound, Forbidden, Invalid or Refused."""
    found = find_scope(reach, level, target_id)
    organization = found.organization
    reach.require(Capability.DEPLOYMENT_WRITE, organization.id)
    if found.scope.level == Level.GLOBAL:
        reach.require(Capability.GLOBAL_DEPLOY, organization.id)
    is_whole = found.scope.level == Level.GLOBAL and not found.scope.at_group
    return DeploymentScope(
        level=found.scope.level,
        target_id=found.scope.target,
        name="All organizations" if is_whole else found.name,
        organization=organization,
        group=queries.group(reach, found.scope.target) if found.scope.at_group else None,
    )


def computers_in(scope: DeploymentScope) -> QuerySet[Computer]:
    """The computers of a scope, enrolled or not. Call it inside an open `reaching` that shows them.

    Global: everything beneath the organization; of a global group, the computers it holds by its rule.
    """
    computers = Computer.objects.across_tenants("a deployment reaches every computer of its scope")
    if scope.level == Level.COMPUTER:
        return computers.filter(pk=scope.target_id)
    if scope.level == Level.GROUP:
        return computers.filter(group_id=scope.target_id)
    if scope.level == Level.ORGANIZATION:
        return computers.filter(organization_id=scope.target_id)
    beneath = queries.beneath(system_reach("a global deployment"), scope.organization.id)
    found = computers.filter(organization_id__in=beneath)
    if scope.group is None:
        return found
    return found.filter(_held_by(scope.group))


def _held_by(group: ComputerGroup) -> Q:
    held = Q(os=group.os)
    return held & Q(group__name__istartswith=group.name_prefix) if group.name_prefix else held


def enrolled(computers: QuerySet[Computer]) -> QuerySet[Computer]:
    """Those among them with an active key: only they can be sent a bundle."""
    active = ComputerKey.objects.across_tenants("which computers can be sent bundles").filter(state=KeyState.ACTIVE)
    return computers.filter(pk__in=active.values("computer_id"))
