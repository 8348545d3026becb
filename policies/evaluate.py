"""What would happen: the decision on some facts at a computer or in a group, with its trace.

The indexed engine of an organization is kept until something that applies there changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from policies import changes, placing
from policies.compile import Places, Rules, load_places, load_rules
from policies.compile.rules import load_applications, policy_value
from policies.drafts import PolicyDraft, check_draft
from policies.engine import model
from policies.engine.decision import Decision
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Place
from policies.engine.normal_form import normal_facts
from policies.fitting import checked_applications
from policies.models import Kind, Policy
from portal.common import clock
from portal.common.errors import NotFound
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

DRAFT = "draft"
_MOST_ENGINES = 32


@dataclass(slots=True)
class _Kept:
    """An engine and the rules it was made of. Engines serve one thread at a time."""

    rules: Rules
    engine: Engine
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Engines:
    """The engines used last, at most `most` of them, by what they were made of."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...], make: Callable[[], _Kept]) -> _Kept:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made


_engines = _Engines(_MOST_ENGINES)


@dataclass(frozen=True, slots=True)
class Case:
    """One question and its decision. `facts` are in normal form, `told` as they were given.

    `applications`: by id, those saved ones that match them or cannot be read; no other one has a say. `rules`: all that
    may apply in the organization.
    """

    decision: Decision
    places: Places
    place: Place
    told: FileFacts
    facts: FileFacts
    at_ms: int
    rules: Rules
    applications: dict[str, model.Application]

    @property
    def policies(self) -> tuple[model.Policy, ...]:
        """The policies that apply to this place, disabled ones too."""
        place = self.place
        mine = {("computer", place.computer), ("group", place.group), ("organization", place.organization)}
        mine |= {("global", target) for target in (place.organization, *place.above)}
        return tuple(p for p in self.rules.policies_for(place.os) if (p.level, p.target) in mine)


def evaluate(
    reach: Reach,
    *,
    facts: FileFacts,
    computer: Computer | None = None,
    group: ComputerGroup | None = None,
    at: datetime | None = None,
    draft: PolicyDraft | None = None,
) -> Decision:
    """The decision on `facts` at `computer`, or at any computer of `group`, at `at` (now, when not given).

    `draft`: as if this policy stood at the bottom of its list; it is named `draft` in the answer. The operating
    system is that of the computer or group. Raises NotFound, and for the draft what `create_policy` raises.
    """
    return judged(reach, facts=facts, computer=computer, group=group, at=at, draft=draft).decision


def judged(
    reach: Reach,
    *,
    facts: FileFacts,
    computer: Computer | None = None,
    group: ComputerGroup | None = None,
    at: datetime | None = None,
    draft: PolicyDraft | None = None,
) -> Case:
    """`evaluate`, with what it takes to judge the same facts again after some change. Raises what it raises."""
    target = computer or group
    if target is None or not reach.sees(target.organization_id) or (group is not None and group.is_global):
        raise NotFound
    places = load_places(reach, target.organization_id)
    place = places.place_of(computer, at) if computer is not None else places.place_in(_own(group), at)
    seen = normal_facts(replace(facts, os=place.os))
    at_ms = clock.to_ms(at or clock.now())
    kept = _engine(places, place)
    with kept.lock:
        engine = kept.engine if draft is None else _with_draft(reach, kept, draft, place.os)
        decision = engine.explain(seen, place, at_ms)
        matter = engine.matching_rules(seen).keys() | engine.unreadable_applications
    applications = {a: kept.rules.applications[a] for a in matter if a in kept.rules.applications}
    return Case(decision, places, place, facts, seen, at_ms, kept.rules, applications)


def _own(group: ComputerGroup | None) -> ComputerGroup:
    if group is None:
        raise NotFound
    return group


def _engine(places: Places, place: Place) -> _Kept:
    line = (places.organization.id, *places.ancestors)
    with reaching(system_reach("which engine is current")) as system:
        revisions = changes.revisions(system, line)
        zones = Organization.objects.within(system).filter(id__in=line).order_by("id")
        key = (line, place.os, revisions, tuple(zones.values_list("time_zone", flat=True)))

    def make() -> _Kept:
        rules = load_rules(places.organization.id, places.ancestors)
        return _Kept(rules, Engine(rules.applications_for(place.os), rules.policies_for(place.os), place.os))

    return _engines.get(key, make)


def _with_draft(reach: Reach, kept: _Kept, draft: PolicyDraft, os: str) -> Engine:
    """The live policies and the draft below them. Indexes again only when the draft names other applications."""
    organization = tenants.organization(reach, draft.scope.organization_id)
    check_draft(draft, organization.time_zone)
    applications = checked_applications(reach, organization, draft)
    kind = Kind(applications[0].kind)
    order = placing.find_slot(reach, organization, kind, placing.BOTTOM).order
    policies = (*kept.rules.policies_for(os), _draft_value(draft, kind, order, organization.time_zone))
    known = kept.rules.applications
    missing = {a.id for a in applications if str(a.id) not in known}
    if not missing:
        return kept.engine.with_policies(policies)
    more, os_of = load_applications(missing)
    added = [a for a in more.values() if os_of[a.id] == os]
    return Engine((*kept.rules.applications_for(os), *added), policies, os)


def _draft_value(draft: PolicyDraft, kind: Kind, order: int, time_zone: str) -> model.Policy:
    row = Policy(**draft.columns(), kind=kind, order=order)
    return replace(policy_value(row, draft.applications, time_zone), id=DRAFT, name=draft.name or "the draft")
