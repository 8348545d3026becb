"""Reach: whose rows somebody may see, and what they may do there. The first argument of every activity and query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from portal.common.errors import Forbidden, NotFound
from portal.tenants.capabilities import Capability

ActorKind = Literal["user", "token", "system", "agent", "anonymous"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. Stands in the System Audit beside each change."""

    kind: ActorKind
    id: str = ""
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """What one actor may see and do. Without a grant it is nothing, never everything.

    `grants`: organization id -> capabilities there; its keys are the organizations in reach.
    `numbers`: organization id -> its small number (what the audit store's rows carry), the same keys.
    `ancestors`: organizations above those in reach; of theirs only rows shared downward are readable.
    `everything`: the portal's own work (`system_reach`); never given to a person or a token.
    """

    actor: Actor
    grants: Mapping[UUID, frozenset[Capability]] = field(default_factory=lambda: MappingProxyType({}))
    numbers: Mapping[UUID, int] = field(default_factory=lambda: MappingProxyType({}))
    ancestors: frozenset[UUID] = frozenset()
    everything: bool = False

    @property
    def organizations(self) -> frozenset[UUID]:
        return frozenset(self.grants)

    def sees(self, organization_id: UUID) -> bool:
        return self.everything or organization_id in self.grants

    def can(self, capability: Capability, organization_id: UUID) -> bool:
        return self.everything or capability in self.grants.get(organization_id, frozenset())

    def can_anywhere(self, capability: Capability) -> bool:
        return self.everything or any(capability in granted for granted in self.grants.values())

    def with_capability(self, capability: Capability) -> frozenset[UUID]:
        """The organizations where the actor has `capability`."""
        return frozenset(o for o, granted in self.grants.items() if capability in granted)

    def require(self, capability: Capability, organization_id: UUID) -> None:
        """Raise NotFound when the organization is out of reach, Forbidden when the capability is missing there."""
        if not self.sees(organization_id):
            raise NotFound
        if not self.can(capability, organization_id):
            raise Forbidden(capability)

    def within(self, organization_ids: Iterable[UUID]) -> Reach:
        """The same actor with no more than these organizations: a screen of one customer sees only that one.

        Organizations given up stay readable as ancestors only when they were ancestors before or lie above.
        """
        kept = frozenset(organization_ids)
        return replace(
            self,
            grants={o: c for o, c in self.grants.items() if o in kept},
            numbers={o: n for o, n in self.numbers.items() if o in kept},
        )

    def including(self, organization_id: UUID, number: int, capabilities: frozenset[Capability]) -> Reach:
        """The same reach and one organization more: the one that was created a moment ago beneath it."""
        return replace(
            self,
            grants={**self.grants, organization_id: capabilities},
            numbers={**self.numbers, organization_id: number},
        )


NOTHING = Reach(Actor("anonymous"))


def system_reach(why: str) -> Reach:
    """The portal's own reach over everything, for work that belongs to no person. `why` stands in the System Audit."""
    return Reach(Actor("system", name=why), everything=True)


def agent_reach(
    *, computer_id: UUID, name: str, organization_id: UUID, number: int, ancestors: Iterable[UUID], address: str = ""
) -> Reach:
    """What one computer's agent may touch: its own organization, without any capability of a person."""
    return Reach(
        Actor("agent", str(computer_id), name, address),
        grants={organization_id: frozenset()},
        numbers={organization_id: number},
        ancestors=frozenset(ancestors),
    )
