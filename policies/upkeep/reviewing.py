"""What a set of rules would do to an application's hashes: which go, what else they match, what stays and why."""

from __future__ import annotations

import functools
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from policies.catalogue import RuleDraft, checked_rules, draft_of
from policies.models import Action, Application, FileRule, Policy
from policies.models.applications import CONDITION_LABELS
from policies.strength import Strength, strength
from policies.upkeep import clusters, sizes
from policies.upkeep.clusters import Spot
from policies.upkeep.evidence import DAYS, Asked, Needles, Sighting, Sightings, evidence, needles_of
from policies.upkeep.matching import Matcher, conditions
from policies.upkeep.sizes import Seen
from portal.common.errors import FieldError, Invalid
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

_EXAMPLES = 3
_NOT_SEEN = "Not seen as far as events are kept: there is nothing to go by."
_ELSEWHERE = "Also seen in a way that no ticked rule covers."
_UNTICKED = "Left to a rule that is not ticked."
_UNCOVERED = "No rule here covers it."
_NEXT = f"Left for a next round: {clusters.MOST_RULES} rules are proposed at once."
_ALONE = "Nothing like it was seen: a rule would replace this one hash only."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A rule that may go into the place of hashes."""

    rule: RuleDraft
    ticked: bool = True


@dataclass(frozen=True, slots=True)
class Proposal:
    """One rule: how many hashes it replaces (`examples` of their paths), and what else it matched in 30 days that no
    rule of the application matches today. `faults`: why it cannot be saved; then nothing is counted."""

    rule: RuleDraft
    ticked: bool
    hashes: int = 0
    examples: tuple[str, ...] = ()
    strength: Strength | None = None
    also: Seen = sizes.NOTHING
    faults: tuple[FieldError, ...] = ()

    @property
    def boxes(self) -> list[tuple[str, str, str]]:
        """(name, label, text) of the boxes that are filled in."""
        return [(name, label, text) for name, label in CONDITION_LABELS.items() if (text := getattr(self.rule, name))]

    @property
    def unused(self) -> list[tuple[str, str]]:
        """(name, label) of the empty boxes that may be filled in."""
        return [
            (name, label) for name, label in CONDITION_LABELS.items() if name != "hash" and not getattr(self.rule, name)
        ]

    @property
    def is_modest(self) -> bool:
        """Whether it may come ticked: it matches nothing that a deny policy stopped, nor more than it replaces."""
        return not self.also.explicit and self.also.files <= self.hashes


@dataclass(frozen=True, slots=True)
class Staying:
    """Hashes that stay, and why. `examples`: their paths, else their beginnings."""

    why: str
    hashes: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """What applying the ticked rules would do. `replaced`: ids of the hash rules that go; `already` of them are covered
    by rules that are there. `verb`: what policies do with what matches. `seen` stands for this very result."""

    application: Application
    proposals: tuple[Proposal, ...]
    replaced: frozenset[UUID]
    already: int
    staying: tuple[Staying, ...]
    hash_rules: int
    rules_before: int
    verb: str
    policies: tuple[Policy, ...]
    seen: str

    @property
    def new_rules(self) -> int:
        return sum(one.ticked and not one.faults for one in self.proposals)

    @property
    def rules_after(self) -> int:
        return self.rules_before - len(self.replaced) + self.new_rules


@dataclass(frozen=True, slots=True)
class Beside:
    """What `drafts` (by their conditions) may match in 30 days and no rule of the application does."""

    drafts: frozenset[tuple[str, ...]]
    asked: Asked
    rows: tuple[Sighting, ...]
    truncated: bool


@dataclass
class Case:
    """One application, its rules, and what was seen of its hashes, read once. `state` stands for its rules."""

    reach: Reach
    organization: Organization
    application: Application
    rules: list[FileRule]
    state: str
    policies: list[Policy] = field(default_factory=list)
    _beside: Beside | None = None

    @functools.cached_property
    def hash_rules(self) -> list[FileRule]:
        """Rules by hash alone. One with another condition was narrowed on purpose, and stays."""
        return [rule for rule in self.rules if rule.hash and len(rule.conditions) == 1]

    @functools.cached_property
    def other_rules(self) -> list[RuleDraft]:
        """The rules that are there and stay."""
        alone = {rule.id for rule in self.hash_rules}
        return [draft_of(rule) for rule in self.rules if rule.id not in alone]

    @functools.cached_property
    def of_hash(self) -> dict[str, list[Sighting]]:
        """What was seen of each hash, as far as events are kept, also where the reader may not look."""
        found: dict[str, list[Sighting]] = {rule.hash: [] for rule in self.hash_rules}
        if found:
            needles = Needles(hashes=tuple(found))
            asked = Asked(self.organization, self.application.os, needles, days=None, everyone=True)
            for sighting in evidence().sightings(self.reach, asked).rows:
                found[sighting.sha256].append(sighting)
        return found

    @functools.cached_property
    def covered(self) -> frozenset[Spot]:
        """What of it the other rules match already."""
        matcher = Matcher({"others": self.other_rules}, self.application.os)
        return frozenset(
            (key, n) for key, of in self.of_hash.items() for n, one in enumerate(of) if matcher.sets_matching(one)
        )

    def beside(self, drafts: Sequence[RuleDraft]) -> tuple[Beside, list[list[Sighting]]]:
        """What was seen in 30 days that each draft matches and no rule of the application does."""
        if self._beside is None or not self._beside.drafts.issuperset(map(conditions, drafts)):
            self._beside = self._read_beside(drafts)
        matcher = Matcher({str(n): (draft,) for n, draft in enumerate(drafts)}, self.application.os)
        found: list[list[Sighting]] = [[] for _ in drafts]
        for sighting in self._beside.rows:
            for name in matcher.sets_matching(sighting):
                found[int(name)].append(sighting)
        return self._beside, found

    def _read_beside(self, drafts: Sequence[RuleDraft]) -> Beside:
        asked = Asked(self.organization, self.application.os, needles_of(_widest(drafts), self.application.os), DAYS)
        found = evidence().sightings(self.reach, asked) if drafts else Sightings()
        today = Matcher({"today": [draft_of(rule) for rule in self.rules]}, self.application.os)
        rows = tuple(one for one in found.rows if not today.sets_matching(one))
        return Beside(frozenset(map(conditions, drafts)), asked, rows, found.truncated)

    def weigh(self, drafts: Sequence[RuleDraft]) -> list[tuple[int, int]]:
        """(files, those that a deny policy stopped) that each draft matches beside what the application does today."""
        _, beside = self.beside(drafts)
        return [(len({one.file for one in of}), len({one.file for one in of if one.explicit})) for of in beside]


def _widest(drafts: Sequence[RuleDraft]) -> list[RuleDraft]:
    """Those whose folder lies in no other's: what they find in the store holds what the others find."""
    heads = sorted({draft.path[:-1] for draft in drafts if draft.path.endswith("*") and draft.path.count("*") == 1})
    tops: list[str] = []
    for head in heads:
        if not tops or not head.startswith(tops[-1]):
            tops.append(head)

    def lies_in_another(path: str) -> bool:
        return any(path.startswith(top) and path != f"{top}*" for top in tops)

    return [draft for draft in drafts if not lies_in_another(draft.path)]


def review_of(case: Case, wanted: Sequence[Wanted], *, is_proposal: bool = False) -> Review:
    """What the ticked rules would do, and each rule by itself. `is_proposal`: they are all that there is to propose."""
    faults = [_faults(case.application.os, one.rule) for one in wanted]
    good = [n for n, found in enumerate(faults) if not found]
    drafts = [wanted[n].rule for n in good]
    matches = _matches(case, drafts)
    ticked = {n for n, index in enumerate(good) if wanted[index].ticked}
    whole = _whole(case, matches, ticked)
    counted = dict(zip(good, _proposals(case, drafts, matches, ticked), strict=True))
    shown = tuple(counted.get(n) or Proposal(one.rule, one.ticked, faults=faults[n]) for n, one in enumerate(wanted))
    already = _whole(case, matches, set())
    replaced = frozenset(rule.id for rule in case.hash_rules if rule.hash in whole)
    otherwise = _NEXT if len(wanted) >= clusters.MOST_RULES else _ALONE if is_proposal else _UNCOVERED
    return Review(
        application=case.application,
        proposals=shown,
        replaced=replaced,
        already=sum(rule.hash in already for rule in case.hash_rules),
        staying=_staying(case, matches, ticked, whole, otherwise=otherwise),
        hash_rules=len(case.hash_rules),
        rules_before=len(case.rules),
        verb=_verb(case.policies),
        policies=tuple(case.policies),
        seen=_digest(case.state, replaced),
    )


def _faults(os: str, rule: RuleDraft) -> tuple[FieldError, ...]:
    try:
        checked_rules([rule], os)
    except Invalid as error:
        return tuple(FieldError(fault.pointer.removeprefix("/rules/0"), fault.detail) for fault in error.errors)
    return ()


def _matches(case: Case, drafts: Sequence[RuleDraft]) -> dict[Spot, frozenset[int]]:
    """Which drafts match each sighting of each hash."""
    matcher = Matcher({str(n): (draft,) for n, draft in enumerate(drafts)}, case.application.os)
    return {
        (key, n): frozenset(map(int, matcher.sets_matching(one)))
        for key, of in case.of_hash.items()
        for n, one in enumerate(of)
    }


def _whole(case: Case, matches: Mapping[Spot, frozenset[int]], ticked: set[int]) -> frozenset[str]:
    """The hashes of which everything that was seen is matched by ticked drafts, or by rules that stay."""
    return frozenset(
        key
        for key, of in case.of_hash.items()
        if of and all((key, n) in case.covered or matches[key, n] & ticked for n in range(len(of)))
    )


def _proposals(
    case: Case, drafts: Sequence[RuleDraft], matches: Mapping[Spot, frozenset[int]], ticked: set[int]
) -> list[Proposal]:
    """Each draft by itself; what an unticked one replaces is what it would, were it ticked as well."""
    read, beside = case.beside(drafts)
    kinds = {str(n): of for n, of in enumerate(beside)}
    also = sizes.sizes(case.reach, read.asked, kinds, truncated=read.truncated)
    whole = _whole(case, matches, ticked)
    spots: list[list[Spot]] = [[] for _ in drafts]
    for spot, numbers in matches.items():
        for number in numbers:
            spots[number].append(spot)
    made = []
    for number, draft in enumerate(drafts):
        mine = whole if number in ticked else _whole(case, matches, ticked | {number})
        of = [spot for spot in spots[number] if spot[0] in mine]
        paths = (case.of_hash[key][n].path for key, n in of if case.of_hash[key][n].visible)
        examples = tuple(dict.fromkeys(paths))[:_EXAMPLES]
        grade, hashes = strength(draft, case.application.os), len({key for key, _ in of})
        made.append(Proposal(draft, number in ticked, hashes, examples, grade, also[str(number)]))
    return made


def _staying(
    case: Case, matches: Mapping[Spot, frozenset[int]], ticked: set[int], whole: frozenset[str], *, otherwise: str
) -> tuple[Staying, ...]:
    """The hashes that stay by reason, most first."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for key, of in case.of_hash.items():
        if key not in whole:
            path = next((one.path for one in of if one.visible), "")
            by_reason[_why(case, key, matches, ticked, otherwise=otherwise)].append(path or f"{key[:16]}…")
    found = [Staying(why, len(of), tuple(dict.fromkeys(of))[:_EXAMPLES]) for why, of in by_reason.items()]
    return tuple(sorted(found, key=lambda one: (-one.hashes, one.why)))


def _why(case: Case, key: str, matches: Mapping[Spot, frozenset[int]], ticked: set[int], *, otherwise: str) -> str:
    of = case.of_hash[key]
    if not of:
        return _NOT_SEEN
    missing = [n for n in range(len(of)) if (key, n) not in case.covered and not matches[key, n] & ticked]
    if any(matches[key, n] for n in missing):
        return _UNTICKED
    reasons = [clusters.identity(of[n], case.application.os).why_not for n in missing if of[n].visible]
    told = next(filter(None, reasons), "")
    if told or len(missing) < len(of):
        return told or _ELSEWHERE
    return otherwise


def _verb(policies: Sequence[Policy]) -> str:
    """What the policies that name the application do with what it matches."""
    actions = {policy.action for policy in policies if policy.enabled}
    if not actions:
        return "match"
    return "deny" if actions == {Action.DENY} else "permit"


def _digest(state: str, replaced: frozenset[UUID]) -> str:
    return hashlib.sha256("".join([state, *sorted(map(str, replaced))]).encode()).hexdigest()[:24]
