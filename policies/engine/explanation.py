"""The trace of a decision: every candidate in evaluation order, then the rules that came closest. On demand only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from policies.engine import sentences
from policies.engine.decision import ConditionCheck, Outcome, SkipReason, TraceStep
from policies.engine.facts import FileFacts
from policies.engine.layers import Chain, Standing
from policies.engine.model import Place
from policies.engine.patterns import ABSENT, is_regex, is_wildcard
from policies.engine.rule_index import Hit, RuleIndex

MOST_NEAR_MISSES = 5

# What a matched condition says about how close a rule came; a path written out says more than a wildcard.
_WEIGHTS = {"hash": 12, "path": 4, "certificate": 2, "process": 1, "created_by": 1}
_WRITTEN_OUT = 2

# A rule of which only the process or the creator matched: half of all files are launched by the same few programs.
_SAYS_NOTHING = (0, 0)
_OF_THE_FILE = frozenset({"hash", "path", "certificate"})


@dataclass(frozen=True, slots=True)
class _Candidate:
    rank: int
    standing: Standing
    hit: Hit | None
    skipped: SkipReason | None


class Walk:
    """One walk through the policies of a computer, kept so that it can be told."""

    def __init__(self, index: RuleIndex, chain: Chain, facts: FileFacts, place: Place, at_ms: int) -> None:
        self._index = index
        self._chain = chain
        self._facts = facts
        self._prioritize_builtin = place.prioritize_builtin
        self._at_ms = at_ms
        self._atoms = index.matched_atoms(facts)
        self._hits = index.match(facts)

    def trace(self, winner: Standing | None) -> tuple[TraceStep, ...]:
        """Candidates in evaluation order, then at most five near misses, closest first."""
        candidates = sorted(self._candidates(), key=lambda candidate: candidate.rank)
        return (*(self._step(candidate, winner) for candidate in candidates), *self._near_misses(winner))

    def told(self, trace: Sequence[TraceStep]) -> str:
        """The second half of the sentence, drawn from the trace; empty when it adds nothing."""
        won = next((step for step in trace if step.outcome == "won"), None)
        if won is not None and won.conditions:
            return f"{won.sentence}."
        if won is not None and won.reason:
            return ""
        closest = next((step for step in trace if step.outcome in ("skipped", "near_miss")), None)
        if closest is None:
            return ""
        nothing = "no policy matched" if won else "no policy matched, and this computer has no Default Deny"
        return f"{nothing}. Closest: {closest.sentence}."

    def _candidates(self) -> Iterator[_Candidate]:
        suspects = set(map(id, self._chain.suspects))
        for standing in self._chain.standings:
            hit = self._first_hit(standing)
            suspect = hit is None and id(standing) in suspects
            if hit or suspect or standing.policy.is_default:
                yield self._candidate(standing, hit, suspect)

    def _first_hit(self, standing: Standing) -> Hit | None:
        rows = (self._hits[name] for name in standing.policy.applications if name in self._hits)
        row = next(rows, None)
        return None if row is None else self._index.hit(row)

    def _candidate(self, standing: Standing, hit: Hit | None, suspect: bool) -> _Candidate:
        skipped = None
        if not standing.policy.is_default:
            skipped = standing.skip_reason(self._facts.user, self._at_ms)
        if suspect and skipped is None and standing.policy.action == "permit":
            skipped = SkipReason.UNREADABLE_RULE
        return _Candidate(standing.rank(self._prioritize_builtin), standing, hit, skipped)

    def _step(self, candidate: _Candidate, winner: Standing | None) -> TraceStep:
        standing, hit = candidate.standing, candidate.hit
        if standing is winner:
            return self._won(standing, hit)
        checks = self._checks(hit) if hit else ()
        if candidate.skipped:
            sentence = sentences.skipped(standing.policy, candidate.skipped)
            if hit:
                sentence = f"{sentences.rule_name(hit)} matched but {sentence}"
            return _step("skipped", standing, hit, candidate.skipped, checks, sentence)
        if hit:
            return _step("later", standing, hit, "", checks, f"{sentences.rule_name(hit)} would have matched later")
        if standing.policy.is_default:
            return _step("later", standing, None, "", (), "would have matched everything later")
        sentence = sentences.skipped(standing.policy, SkipReason.UNREADABLE_RULE)
        return _step("later", standing, None, SkipReason.UNREADABLE_RULE, (), sentence)

    def _won(self, standing: Standing, hit: Hit | None) -> TraceStep:
        if standing.policy.is_default:
            return _step("won", standing, None, "", (), "matches everything no other policy matched")
        if not standing.readable:
            sentence = sentences.skipped(standing.policy, SkipReason.UNREADABLE_SCHEDULE)
            return _step("won", standing, hit, SkipReason.UNREADABLE_SCHEDULE, (), sentence)
        if hit is None:
            sentence = sentences.skipped(standing.policy, SkipReason.UNREADABLE_RULE)
            return _step("won", standing, None, SkipReason.UNREADABLE_RULE, (), sentence)
        checks = self._checks(hit)
        sentence = f"{sentences.rule_name(hit)} matched {sentences.matched_conditions(checks)}"
        return _step("won", standing, hit, "", checks, sentence)

    def _checks(self, hit: Hit) -> tuple[ConditionCheck, ...]:
        checks = []
        for number in self._index.conditions[hit.row]:
            field, pattern = self._index.condition(number)
            matched = number in self._atoms
            checks.append(ConditionCheck(field, pattern, self._value(field, pattern), matched))
        return tuple(checks)

    def _value(self, field: str, pattern: str) -> str:
        facts = self._facts
        if field == "certificate":
            return pattern if pattern in facts.certificates else "; ".join(facts.certificates)
        return {
            "hash": facts.sha256,
            "path": facts.path,
            "process": facts.process,
            "created_by": facts.created_by,
        }[field]

    def _near_misses(self, winner: Standing | None) -> Iterator[TraceStep]:
        """Rules of policies that stood before the winner: most nearly matched first."""
        standings = self._unmatched_before(winner)
        rows = {row for atom in self._atoms for row in self._index.rows_with(atom)}
        near = [
            (self._distance(row), standings[self._index.owner(row).id].rank(self._prioritize_builtin), row)
            for row in rows
            if self._index.owner(row).id in standings
        ]
        said = [one for one in near if one[0] != _SAYS_NOTHING]
        for _, _, row in nsmallest(MOST_NEAR_MISSES, said):
            hit = self._index.hit(row)
            checks = self._checks(hit)
            sentence = sentences.near_miss(hit, checks)
            yield _step("near_miss", standings[hit.application.id], hit, "", checks, sentence)

    def _unmatched_before(self, winner: Standing | None) -> dict[str, Standing]:
        """Of every application that did not match, the first active policy on it that stood before the winner."""
        last = winner.rank(self._prioritize_builtin) if winner else None
        found: dict[str, Standing] = {}
        for standing in self._chain.standings:
            rank = standing.rank(self._prioritize_builtin)
            if (last is not None and rank >= last) or standing.skip_reason(self._facts.user, self._at_ms):
                continue
            for application in standing.policy.applications:
                known = found.get(application)
                if application not in self._hits and (known is None or rank < known.rank(self._prioritize_builtin)):
                    found[application] = standing
        return found

    def _distance(self, row: int) -> tuple[int, int]:
        failed = weight = 0
        of_the_file = False
        for number in self._index.conditions[row]:
            field, pattern = self._index.condition(number)
            if number not in self._atoms:
                failed += 1
            elif pattern != ABSENT:
                written_out = field == "path" and not (is_wildcard(pattern) or is_regex(pattern))
                weight += _WEIGHTS[field] * (_WRITTEN_OUT if written_out else 1)
                of_the_file = of_the_file or field in _OF_THE_FILE
        return (failed, -weight) if of_the_file else _SAYS_NOTHING


def _step(
    outcome: Outcome,
    standing: Standing,
    hit: Hit | None,
    reason: str,
    conditions: tuple[ConditionCheck, ...],
    sentence: str,
) -> TraceStep:
    policy = standing.policy
    return TraceStep(
        outcome=outcome,
        policy=policy.id,
        policy_name=policy.name,
        action=policy.action,
        level=policy.level,
        order=policy.order,
        application=hit.application.id if hit else None,
        application_name=hit.application.name if hit else "",
        rule=hit.rule.id if hit else None,
        rule_number=hit.number if hit else 0,
        reason=reason,
        conditions=conditions,
        sentence=sentence,
    )
