"""The scopes that Permit Application offers for an event, from the narrowest to the widest, as far as one may write."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from audit.event_rows import EventRow
from policies.models import Level
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class ScopeChoice:
    """One line of question 4. `value` is what the form sends; `computers` are those in reach."""

    level: str
    target: UUID
    name: str
    computers: int
    at: str

    @property
    def value(self) -> str:
        return f"{self.level}:{self.target}"

    @property
    def verb(self) -> str:
        """How the button ends: `on FIN-LT-07`, `at Able Moose (128 computers)`."""
        number = "1 computer" if self.computers == 1 else f"{self.computers:,} computers"
        return f"on {self.name}" if self.level == Level.COMPUTER else f"{self.at} {self.name} ({number})"


def scope_choices(reach: Reach, event: EventRow, *, widest: str = Level.GLOBAL) -> list[ScopeChoice]:
    """Computer, group, organization, then global groups that hold the computer and the whole MSP, where one may."""
    computer = event.computer
    if computer is None or event.organization is None:
        return []
    organization = event.organization
    inside = queries.computers(reach, organization.id).order_by()
    group = inside.filter(group_id=computer.group_id).count()
    found = [
        ScopeChoice(Level.COMPUTER, computer.id, computer.name, 1, "on"),
        ScopeChoice(Level.GROUP, computer.group_id, computer.group.name, group, "in"),
        ScopeChoice(Level.ORGANIZATION, organization.id, organization.name, inside.count(), "at"),
    ]
    return found + (_global_choices(reach, computer) if widest == Level.GLOBAL else [])


def _global_choices(reach: Reach, computer: Computer) -> list[ScopeChoice]:
    found = []
    for group in queries.groups(reach).filter(is_global=True):
        held = queries.computers_held_by(reach, group).order_by()
        if reach.can(Capability.GLOBAL_WRITE, group.organization_id) and held.filter(id=computer.id).exists():
            found.append(ScopeChoice(Level.GLOBAL, group.id, group.name, held.count(), "in"))
    for top in Organization.objects.within(reach).filter(parent__isnull=True):
        if reach.sees(top.id) and reach.can(Capability.GLOBAL_WRITE, top.id):
            everyone = queries.computers(reach).order_by().count()
            found.append(ScopeChoice(Level.GLOBAL, top.id, f"{top.name} and everyone beneath", everyone, "for"))
    return found
