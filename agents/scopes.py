"""The scope of a deployment: one level and its target, checked against a reach, and the computers in it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from agents.models import ComputerKey
from agents.models.deployments import Level
from agents.models.identity import KeyState
from policies import changes
from portal.common.errors import NotFound, Refused
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching


@dataclass(frozen=True, slots=True)
class DeploymentScope:
    """Where a deployment goes. `organization`: whose deployment it is (a global one: the MSP's)."""

    level: Level
    target_id: UUID
    name: str
    organization: Organization
    group: ComputerGroup | None = None


def resolve(reach: Reach, *, level: str, target_id: UUID) -> DeploymentScope:
    """The scope, when the reach may deploy there. Raises NotFound, Forbidden, Refused (no such level)."""
    if level not in Level.values:
        raise Refused("A scope is global, organization, group or computer.", pointer="/scope/level")
    at = Level(level)
    scope = _found(reach, at, target_id)
    if scope is None or not reach.sees(scope.organization.id):
        raise NotFound
    reach.require(Capability.DEPLOYMENT_WRITE, scope.organization.id)
    if at == Level.GLOBAL:
        reach.require(Capability.GLOBAL_DEPLOY, scope.organization.id)
    return scope


def _found(reach: Reach, level: Level, target_id: UUID) -> DeploymentScope | None:
    if level in (Level.GLOBAL, Level.ORGANIZATION):
        organization = Organization.objects.within(reach).filter(pk=target_id).first()
        if organization is not None:
            name = "All organizations" if level == Level.GLOBAL else organization.name
            return DeploymentScope(level, target_id, name, organization)
        if level == Level.ORGANIZATION:
            return None
    if level == Level.COMPUTER:
        computer = Computer.objects.within(reach).select_related("organization").filter(pk=target_id).first()
        return computer and DeploymentScope(level, target_id, computer.name, computer.organization)
    group = (
        ComputerGroup.objects.within(reach)
        .select_related("organization")
        .filter(pk=target_id, is_global=level == Level.GLOBAL)
        .first()
    )
    return group and DeploymentScope(level, target_id, group.name, group.organization, group)


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
    beneath = changes.beneath(system_reach("a global deployment"), scope.organization.id)
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


def count_enrolled(scope: DeploymentScope) -> int:
    """How many computers a deployment to this scope would reach now."""
    with reaching(system_reach("count what a deployment reaches")):
        return enrolled(computers_in(scope)).count()
