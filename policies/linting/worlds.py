"""The policy sets of an organization as lint judges them: one for each operating system that it has rules for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from policies.compile import Places, Rules, load_places, load_rules
from policies.compile.places import holds
from policies.compile.rules import load_applications
from policies.engine.lint import PolicySet, Target, Usage
from policies.linting.hash_history import hashes_per_path
from policies.models import AgentSetting, Application, Kind, Level, Policy, PolicyApplication, SettingName
from portal.common import clock
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, OperatingSystem
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching


@dataclass(frozen=True, slots=True)
class Owned:
    """Whose a policy or application is, and its name. `level` of a policy, empty for an application."""

    organization_id: UUID | None
    name: str
    level: str = ""


@dataclass(frozen=True, slots=True)
class World:
    """Everything lint reads of one organization. `used_beneath`: its applications that policies of other
    organizations name. `rules`: how many file rules were read."""

    sets: tuple[PolicySet, ...]
    policies: dict[str, Owned]
    applications: dict[str, Owned]
    used_beneath: frozenset[str]
    hidden: frozenset[str]
    rules: int


def load_world(organization_id: UUID) -> World:
    """Read it, as the system: what is above an organization shapes what holds in it. Raises NotFound."""
    with reaching(system_reach("lint")) as system:
        places = load_places(system, organization_id)
        rules = with_own_applications(load_rules(organization_id, places.ancestors), organization_id)
        policies = {str(p.id): p for p in _policies(system, rules)}
        applications = list(Application.objects.within(system).filter(id__in=list(rules.applications)))
        common = _Common(system, places, rules, policies)
        return World(
            sets=tuple(common.policy_set(os) for os in OperatingSystem.values if rules.applications_for(os)),
            policies={key: Owned(p.organization_id, p.name, p.level) for key, p in policies.items()},
            applications={str(a.id): Owned(a.organization_id, a.name) for a in applications},
            used_beneath=_used_beneath(system, organization_id, applications),
            hidden=frozenset(str(a.id) for a in applications if a.hidden),
            rules=sum(len(a.rules) for a in rules.applications.values()),
        )


class _Common:
    """What the policy sets of all operating systems share."""

    def __init__(self, system: Reach, places: Places, rules: Rules, policies: dict[str, Policy]) -> None:
        self._system, self._places, self._rules = system, places, rules
        self._computers = _computer_groups(system, policies.values())
        self._builtin_first = builtin_first(system, places)
        self._usage = {key: _usage(policy) for key, policy in policies.items() if not _is_idle(policy, places)}
        self._now = clock.to_ms(clock.now())

    def policy_set(self, os: str) -> PolicySet:
        applications = self._rules.applications_for(os)
        return PolicySet(
            applications=applications,
            policies=self._rules.policies_for(os),
            os=os,
            at_ms=self._now,
            surrounding=surroundings(self._places, os, self._computers),
            builtin_first=self._builtin_first,
            usage=self._usage,
            hashes_per_path=hashes_per_path(self._system, self._places.organization, os, applications),
        )


def _used_beneath(system: Reach, organization_id: UUID, applications: Iterable[Application]) -> frozenset[str]:
    own = [a.id for a in applications if a.organization_id == organization_id]
    used = PolicyApplication.objects.within(system).filter(application__in=own)
    elsewhere = used.exclude(organization_id=organization_id).order_by()
    return frozenset(map(str, elsewhere.values_list("application_id", flat=True).distinct()))


def with_own_applications(rules: Rules, organization_id: UUID) -> Rules:
    """The rules with the organization's applications that no policy names, too."""
    with reaching(system_reach("lint")) as system:
        own = Application.objects.within(system).filter(organization_id=organization_id, kind=Kind.CUSTOM)
        missing = [a for a in own.values_list("id", flat=True) if str(a) not in rules.applications]
    if not missing:
        return rules
    applications, os_of = load_applications(missing)
    return Rules({**rules.applications, **applications}, {**rules.os_of, **os_of}, rules.policies)


def _policies(system: Reach, rules: Rules) -> Iterable[Policy]:
    return (
        Policy.objects.within(system)
        .filter(id__in=[p.id for p in rules.policies])
        .only("id", "organization_id", "name", "level", "target_group_id", "created_at", "last_matched_at", "enabled")
    )


def _usage(policy: Policy) -> Usage:
    last = policy.last_matched_at
    return Usage(clock.to_ms(policy.created_at), clock.to_ms(last) if last else None)


def _is_idle(policy: Policy, places: Places) -> bool:
    group = places.groups.get(policy.target_group_id) if policy.target_group_id else None
    return group is not None and group.is_template


def _computer_groups(system: Reach, policies: Iterable[Policy]) -> dict[UUID, UUID]:
    """The group of each computer that a policy stands at. Computers without a policy of their own do not matter."""
    if not any(policy.level == Level.COMPUTER for policy in policies):
        return {}
    ids = Policy.objects.within(system).filter(id__in=[p.id for p in policies], level=Level.COMPUTER)
    computers = Computer.objects.within(system).filter(id__in=ids.values("target_computer_id"))
    return dict(computers.values_list("id", "group_id"))


def surroundings(places: Places, os: str, computer_groups: dict[UUID, UUID]) -> dict[Target, frozenset[Target]]:
    """For each target, those that hold all of its computers of this operating system."""
    line = (places.organization.id, *places.ancestors)
    everyone = {g.id for g in places.global_groups if holds(g, None, os)}
    at = {g.id: line.index(g.organization_id) for g in places.global_groups}

    def over(depth: int) -> set[Target]:
        """The global targets that hold everything beneath the organization at this depth of the line."""
        organizations = {("global", str(o)) for o in line[depth:]}
        return organizations | {("global", str(g)) for g in everyone if at[g] >= depth}

    found: dict[Target, set[Target]] = {("global", str(o)): over(depth) for depth, o in enumerate(line)}
    for group in places.global_groups:
        own: Target = ("global", str(group.id))
        wider = {
            ("global", str(g.id))
            for g in places.global_groups
            if at[g.id] >= at[group.id]
            and g.os == group.os
            and group.name_prefix.casefold().startswith(g.name_prefix.casefold())
        }
        found[own] = {own} | wider | over(at[group.id])
    organization: Target = ("organization", str(places.organization.id))
    found[organization] = {organization} | over(0)
    for group_id in places.groups:
        above: set[Target] = {("global", target) for target in places.above(group_id, os)}
        found["group", str(group_id)] = {("group", str(group_id))} | found[organization] | above
    for computer, group_id in computer_groups.items():
        around = found.get(("group", str(group_id)), found[organization])
        found["computer", str(computer)] = {("computer", str(computer))} | around
    return {target: frozenset(around) for target, around in found.items()}


def builtin_first(system: Reach, places: Places) -> frozenset[bool]:
    """Every value of Prioritize Built-In Applications that some computer here, or beneath, may have."""
    own = places.organization.id
    beneath = tenants.beneath(system, own) - {own}
    everywhere = places.organization_settings().prioritize_builtin
    named = [s for s in places.settings if s.name == SettingName.PRIORITIZE_BUILTIN]
    narrow = {bool(s.value) for s in named if s.target_organization_id is None}
    if not beneath:
        return frozenset({everywhere} | narrow)
    below = AgentSetting.objects.within(system).filter(organization_id__in=beneath, name=SettingName.PRIORITIZE_BUILTIN)
    return frozenset({True, everywhere} | {bool(s.value) for s in (*named, *below)})
