"""Scopes by name: which organization, group or computer a level and a reference mean, and who may write there."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from policies.models import Level
from policies.models.scopes import AtScope
from portal.common.errors import FieldError, Invalid, NotFound, Refused
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Scope:
    """One level and its target, in one organization. `target` is the id of an organization, group or computer."""

    organization_id: UUID
    level: Level
    target: UUID
    at_group: bool = False  # of a global scope: its target is a global group

    def columns(self) -> dict[str, object]:
        """The columns of a row that stands at this scope."""
        group = self.level == Level.GROUP or self.at_group
        computer = self.level == Level.COMPUTER
        return {
            "organization_id": self.organization_id,
            "level": self.level,
            "target_organization_id": None if group or computer else self.target,
            "target_group_id": self.target if group else None,
            "target_computer_id": self.target if computer else None,
        }


def scope_of(row: AtScope) -> Scope:
    """The scope a row stands at."""
    return Scope(
        row.organization_id,
        Level(row.level),
        row.target_id,
        at_group=row.level == Level.GLOBAL and row.target_group_id is not None,
    )


@dataclass(frozen=True, slots=True)
class FoundScope:
    """A scope with what a person calls it. `os`: the operating system of its computers, empty when mixed."""

    scope: Scope
    organization: Organization
    name: str
    slug: str
    os: str = ""


def find_scope(reach: Reach, level: str, target: UUID | str) -> FoundScope:
    """What `level` and `target` (an id, or the slug of an organization or group) mean within reach.

    Raises NotFound, Invalid for an unknown level, Refused when the target does not fit the level.
    """
    if level not in Level.values:
        raise Invalid([FieldError("/scope/level", f"This must be one of {', '.join(Level.values)}.")])
    if level == Level.GLOBAL:
        return _find_global(reach, target)
    if level == Level.ORGANIZATION:
        organization = queries.organization(reach, target)
        scope = Scope(organization.id, Level.ORGANIZATION, organization.id)
        return FoundScope(scope, organization, organization.name, organization.slug)
    if level == Level.GROUP:
        found = _find_group(reach, target)
        if found.scope.level == Level.GLOBAL:
            raise Refused("This is a global group: choose the level global for it.", pointer="/scope/level")
        return found
    computer = queries.computer(reach, target)
    scope = Scope(computer.organization_id, Level.COMPUTER, computer.id)
    return FoundScope(scope, computer.organization, computer.name, computer.name, computer.os)


def _find_global(reach: Reach, target: UUID | str) -> FoundScope:
    """A global group, or the organization at the top of the tree."""
    try:
        organization = queries.organization(reach, target)
    except NotFound:
        found = _find_group(reach, target)
        if found.scope.level != Level.GLOBAL:
            raise Refused(
                "This is no global group. Choose the level group for it, or name a global group.",
                pointer="/scope/target",
            ) from None
        return found
    if organization.parent_id is not None:
        raise Refused(
            f"{organization.name} is not at the top of the tree. For the organizations beneath it use a global group.",
            pointer="/scope/target",
        )
    return FoundScope(
        Scope(organization.id, Level.GLOBAL, organization.id), organization, organization.name, organization.slug
    )


def _find_group(reach: Reach, target: UUID | str) -> FoundScope:
    group = queries.group(reach, target)
    if not reach.sees(group.organization_id):
        raise NotFound
    level = Level.GLOBAL if group.is_global else Level.GROUP
    scope = Scope(group.organization_id, level, group.id, at_group=group.is_global)
    return FoundScope(scope, group.organization, group.name, group.slug, group.os)


def require_write(reach: Reach, capability: Capability, scope: Scope) -> None:
    """Raise NotFound or Forbidden unless the reach may write at this scope; global needs its own capability too."""
    reach.require(capability, scope.organization_id)
    if scope.level == Level.GLOBAL:
        reach.require(Capability.GLOBAL_WRITE, scope.organization_id)


def lock_organization(reach: Reach, organization_id: UUID) -> Organization:
    """Hold the organization's row until the transaction ends: one writer of its policies at a time."""
    row = Organization.objects.within(reach).filter(id=organization_id).order_by().select_for_update().first()
    if row is None:
        raise NotFound
    found: Organization = row
    return found
