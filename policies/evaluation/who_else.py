"""Who else could run this: the same facts at every computer in reach, judged once for each distinct place.

Computers of one group in one mode, without a policy or setting of their own, stand at one place. What is read grows
with organizations and policies, not with computers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count

from policies.compile import Places
from policies.compile.places import load_all_places
from policies.compile.rules import Rules, load_rules_about
from policies.engine.decision import Decision
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from portal.common import clock
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach

_NOBODY = UUID(int=0)


@dataclass(slots=True)
class Tally:
    """How many computers would do what. `would_deny`: permitted there only because of the mode."""

    permitted: int = 0
    ringfenced: int = 0
    denied: int = 0
    would_deny: int = 0

    @property
    def computers(self) -> int:
        return self.permitted + self.ringfenced + self.denied + self.would_deny

    @property
    def may_run(self) -> int:
        return self.permitted + self.ringfenced

    def add(self, decision: Decision, computers: int) -> None:
        if decision.effect == "denied":
            self.denied += computers
        elif decision.action == "deny":
            self.would_deny += computers
        elif decision.effect == "ringfenced":
            self.ringfenced += computers
        else:
            self.permitted += computers

    def add_all(self, other: Tally) -> None:
        self.permitted += other.permitted
        self.ringfenced += other.ringfenced
        self.denied += other.denied
        self.would_deny += other.would_deny


@dataclass(slots=True)
class GroupTally:
    """One group; `because` are the names of the policies that decide there, each once."""

    id: UUID
    name: str
    tally: Tally = field(default_factory=Tally)
    because: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class OrganizationTally:
    """One organization in reach and its groups, by name."""

    organization: Organization
    tally: Tally = field(default_factory=Tally)
    groups: dict[UUID, GroupTally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WhoElse:
    """All computers of one operating system in reach. `organizations`: most that may run it first, then by name.
    `places`: how many distinct ones were judged."""

    total: Tally
    organizations: tuple[OrganizationTally, ...]
    places: int


def who_else(reach: Reach, *, facts: FileFacts, os: str, at_ms: int, only: UUID | None = None) -> WhoElse:
    """`facts` (in normal form, of `os`) at all computers in reach, or at those of the organization `only`.

    Organizations without the right to read policies and computers do not count. About ten statements.
    """
    readable = _readable(reach) if only is None else _readable(reach) & {only}
    places = load_all_places(reach, readable)
    rules = load_rules_about(
        facts, os, {o for place in places.values() for o in (place.organization.id, *place.ancestors)}
    )
    engine = Engine(rules.applications_for(os), rules.policies_for(os), os)
    found: dict[UUID, OrganizationTally] = {}
    judged = 0
    at = clock.from_ms(at_ms)
    for computer, number in _distinct(reach, os, readable, _apart(rules, places.values())):
        own = places[computer.organization_id]
        decision = engine.decide(facts, own.place_of(computer, at), at_ms)
        judged += 1
        _count(found, own, computer.group_id, decision, number)
    total = Tally()
    for one in found.values():
        total.add_all(one.tally)
    ranked = sorted(found.values(), key=lambda one: (-one.tally.may_run, one.organization.name.casefold()))
    return WhoElse(total, tuple(ranked), judged)


def _readable(reach: Reach) -> frozenset[UUID]:
    if reach.everything:
        return frozenset(Organization.objects.within(reach).values_list("id", flat=True))
    return reach.with_capability(Capability.POLICY_READ) & reach.with_capability(Capability.COMPUTER_READ)


def _apart(rules: Rules, places: Iterable[Places]) -> set[UUID]:
    """Computers that stand apart from their group: with a policy that has a say, or a setting, of their own."""
    own = {UUID(policy.target) for policy in rules.policies if policy.level == "computer"}
    return own | {s.target_computer_id for place in places for s in place.settings if s.target_computer_id}


def _distinct(
    reach: Reach, os: str, organization_ids: Collection[UUID], apart: Collection[UUID]
) -> Iterable[tuple[Computer, int]]:
    """One computer for each distinct place, with how many stand there. Two statements."""
    mine = Computer.objects.within(reach).filter(os=os, organization_id__in=organization_ids).order_by()
    columns = ("organization_id", "group_id", "mode", "mode_ends_at")
    for *place, number in mine.exclude(id__in=apart).values_list(*columns).annotate(n=Count("id")):
        yield Computer(id=_NOBODY, os=os, **dict(zip(columns, place, strict=True))), number
    for computer_id, *place in mine.filter(id__in=apart).values_list("id", *columns):
        yield Computer(id=computer_id, os=os, **dict(zip(columns, place, strict=True))), 1


def _count(found: dict[UUID, OrganizationTally], own: Places, group_id: UUID, decision: Decision, number: int) -> None:
    of = found.setdefault(own.organization.id, OrganizationTally(own.organization))
    group = own.groups.get(group_id)
    there = of.groups.setdefault(group_id, GroupTally(group_id, group.name if group else ""))
    of.tally.add(decision, number)
    there.tally.add(decision, number)
    there.because[decision.policy_name or "no policy"] = None
