"""Which essentials the saved policies would stop, place by place. Pure: rows are read by who calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from policies.compile import Snapshot
from policies.engine.decision import Decision, ReasonCode
from policies.engine.engine import Engine
from policies.engine.model import Place, Policy
from policies.lockout.essentials import KINDS, Essential, Kind, agent_essential, builtin_essentials
from portal.tenants.models import Computer

_DEFAULTS = (ReasonCode.DEFAULT_DENY, ReasonCode.NO_POLICY)


@dataclass(frozen=True, slots=True)
class Lockout:
    """One essential that would be stopped at one place, and what stops it. `where`: the group, or a computer."""

    kind: Kind
    name: str
    path: str
    organization: str
    organization_name: str
    where: str
    computers: int
    policy: str
    policy_name: str
    because: str

    @property
    def kind_label(self) -> str:
        return KINDS[self.kind]

    @property
    def sentence(self) -> str:
        by = self.policy_name or "no policy that permits it"
        return f"{self.organization_name}, {self.where}: {self.kind_label} would be stopped ({self.path}) by {by}."


@dataclass(frozen=True, slots=True)
class Before:
    """What a computer was given last: its engine and its place there."""

    engine: Engine
    place: Place

    @classmethod
    def of(cls, engine: Engine, policies: Sequence[Policy], place: Place) -> Before:
        """From the opened layers of a manifest; denies are judged as if their hours and users held always."""
        return cls(engine.with_policies(always_denying(policies)), place)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one organization's computers beyond what is saved.

    `programs`: the agent's own program files, by computer id. `managing`: the tools that manage computers, with
    `in_use` telling which of them ran here lately. `before`: what a computer was given last, None when nothing.
    """

    programs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    managing: tuple[Essential, ...] = ()
    in_use: frozenset[str] = frozenset()
    before: Callable[[Computer], Before | None] = lambda computer: None


def always_denying(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """A deny that holds at some hours or for some people locks out then: judge it as if it held always."""
    return tuple(
        replace(policy, schedule=(), starts_at=None, users=())
        if policy.action == "deny" and not policy.is_default
        else policy
        for policy in policies
    )


def lockouts_of(saved: Snapshot, computers: Sequence[Computer], standing: Standing, at_ms: int) -> list[Lockout]:
    """What deploying `saved` to these computers of one organization would newly stop.

    Computers that stand at the same place are judged once. What their bundle stops already is not told again.
    """
    found: list[Lockout] = []
    engines: dict[str, Engine] = {}
    for alike in _alike(saved, computers, standing):
        computer = alike[0]
        place = saved.place_of(computer)
        if place.os not in engines:
            rules = saved.rules
            engines[place.os] = Engine(
                rules.applications_for(place.os), always_denying(rules.policies_for(place.os)), place.os
            )
        judge = _Judge(engines[place.os], place, at_ms, standing, computer)
        for essential in _essentials(place.os, standing, computer):
            stopped = judge.stops(essential)
            if stopped is not None:
                path, decision = stopped
                found.append(_lockout(saved, alike, essential, path, decision))
    return found


def _alike(saved: Snapshot, computers: Sequence[Computer], standing: Standing) -> list[list[Computer]]:
    """The computers by everything a decision can hang on."""
    special = {policy.target for policy in saved.rules.policies if policy.level == "computer"}
    found: dict[object, list[Computer]] = {}
    for computer in computers:
        place = saved.place_of(computer)
        own = place.computer if place.computer in special else ""
        key = (place.group, place.os, place.mode, place.prioritize_builtin, own, standing.programs.get(place.computer))
        found.setdefault(key, []).append(computer)
    return list(found.values())


def _essentials(os: str, standing: Standing, computer: Computer) -> list[Essential]:
    found = list(builtin_essentials(os))
    programs = standing.programs.get(str(computer.id))
    if programs:
        found.insert(0, agent_essential(os, programs))
    return [*found, *(tool for tool in standing.managing if tool.os == os)]


class _Judge:
    """Decides on essentials at one place, with what is saved and, only when it matters, with what was before."""

    def __init__(self, engine: Engine, place: Place, at_ms: int, standing: Standing, computer: Computer) -> None:
        self._engine = engine
        self._place = place
        self._at_ms = at_ms
        self._standing = standing
        self._computer = computer
        self._before: Before | None = None
        self._asked_before = False

    def stops(self, essential: Essential) -> tuple[str, Decision] | None:
        """The first program of `essential` that would newly be stopped, and the decision; None when it goes on."""
        after = [(facts.path, self._engine.decide(facts, self._place, self._at_ms)) for facts in essential.facts]
        denied = [(path, decision) for path, decision in after if decision.effect == "denied"]
        if not denied or (essential.any_is_enough and len(denied) < len(after)):
            return None
        explicit = [one for one in denied if one[1].reason_code not in _DEFAULTS]
        if essential.explicitly_only:
            denied = explicit
        permitted_before = self._permitted_before(essential, frozenset(path for path, _ in explicit))
        if self._before is None:
            counts = bool(explicit) if essential.any_is_enough else self._is_needed(essential)
            return (explicit or denied)[0] if denied and counts else None
        lost = [(path, decision) for path, decision in denied if path in permitted_before]
        return lost[0] if lost else None

    def _permitted_before(self, essential: Essential, explicit: frozenset[str]) -> frozenset[str]:
        """What ran with the bundle before. What only a relaxed mode let run counts where nobody can do without it,
        where it is in use, and where somebody denies it on purpose."""
        if not self._asked_before:
            self._before, self._asked_before = self._standing.before(self._computer), True
        before = self._before
        if before is None:
            return frozenset()
        needed = essential.kind in ("logon", "updates") or essential.application in self._standing.in_use
        decisions = ((facts.path, before.engine.decide(facts, before.place, self._at_ms)) for facts in essential.facts)
        return frozenset(
            path
            for path, decision in decisions
            if decision.effect != "denied" and (not decision.simulated or needed or path in explicit)
        )

    def _is_needed(self, essential: Essential) -> bool:
        return essential.kind != "rmm" or essential.application in self._standing.in_use


def _lockout(
    saved: Snapshot, alike: Sequence[Computer], essential: Essential, path: str, decision: Decision
) -> Lockout:
    first = alike[0]
    group = saved.places.groups.get(first.group_id)
    where = group.name if group is not None and len(alike) > 1 else first.name
    return Lockout(
        kind=essential.kind,
        name=essential.name,
        path=path,
        organization=str(saved.organization_id),
        organization_name=saved.places.organization.name,
        where=where,
        computers=len(alike),
        policy=decision.policy or "",
        policy_name=decision.policy_name,
        because=decision.because,
    )
