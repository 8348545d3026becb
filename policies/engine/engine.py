"""The engine: which policy decides on these facts, at this place, at this instant, and what that does.

`decide` is the hot path, `explain` gives the same verdict with its trace. Both expect facts in normal form and never
raise for odd ones: what cannot be judged is a denial with a reason of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from policies.engine import explanation, sentences
from policies.engine.decision import Decision, ReasonCode
from policies.engine.facts import FileFacts
from policies.engine.layers import Chain, Layers, Standing
from policies.engine.model import Application, Place, Policy
from policies.engine.modes import WRITING_ACTIONS, Verdict, default_verdict, verdict
from policies.engine.rule_index import NO_ROW, Hit, RuleIndex
from policies.engine.schedule import LAST_MS
from policies.engine.variables import STANDARD_MACHINE

_MEMO_DECISIONS = 16_384
_NO_RANK = 1 << 62

_REASONS = {"permit": ReasonCode.PERMIT, "permit_ringfenced": ReasonCode.RINGFENCE}


class Judgement(NamedTuple):
    """What the walk came to: the policy that decided, the row of the rule it decided by, and why."""

    standing: Standing | None
    row: int
    reason: ReasonCode


class Engine:
    """Applications and policies of one operating system, indexed. Immutable but for bounded memos.

    `machine` gives the values of machine variables on the computer that decides, names in lower case.
    """

    def __init__(
        self,
        applications: Iterable[Application],
        policies: Iterable[Policy],
        os: str,
        *,
        machine: Mapping[str, str] = STANDARD_MACHINE,
    ) -> None:
        self._start(RuleIndex(applications, os, machine), policies)

    def _start(self, index: RuleIndex, policies: Iterable[Policy]) -> None:
        self.os = index.os
        self._index = index
        self._layers = Layers(policies, index.os, index.unreadable.keys())
        self._decisions: dict[tuple[int, int, str, ReasonCode, bool], Decision] = {}

    def with_policies(self, policies: Iterable[Policy]) -> "Engine":
        """An engine over the same applications, sharing their index: for a draft beside the live policies."""
        engine = Engine.__new__(Engine)
        engine._start(self._index, policies)
        return engine

    @property
    def unreadable_applications(self) -> frozenset[str]:
        """Applications with a rule that cannot be read. Their denies and ringfences deny whatever reaches them."""
        return frozenset(self._index.unreadable)

    def matching_rules(self, facts: FileFacts) -> dict[str, str]:
        """Every application that matches and the first of its rules that does, whatever policies say."""
        return {application: self._index.hit(row).rule.id for application, row in self._index.match(facts).items()}

    def decide(self, facts: FileFacts, place: Place, at_ms: int) -> Decision:
        """The verdict, without a trace. `at_ms` is unix milliseconds; `facts` are in normal form."""
        judgement = self._judge(facts, place, at_ms)
        writes = facts.action_type in WRITING_ACTIONS
        standing = judgement.standing
        key = (
            -1 if standing is None else standing.rank_builtin_first,
            judgement.row,
            place.mode,
            judgement.reason,
            writes,
        )
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= _MEMO_DECISIONS:
                self._decisions.clear()
            decision = self._decisions[key] = self._decision(judgement, place.mode, facts.action_type)
        return decision

    def explain(self, facts: FileFacts, place: Place, at_ms: int) -> Decision:
        """The same verdict with its trace, and the sentence with what matched or came closest."""
        judgement = self._judge(facts, place, at_ms)
        decision = self._decision(judgement, place.mode, facts.action_type)
        if judgement.reason in (ReasonCode.WRONG_OS, ReasonCode.BAD_TIME):
            return decision
        walk = explanation.Walk(self._index, self._layers.chain(place), facts, place, at_ms)
        trace = walk.trace(judgement.standing)
        because = sentences.ruling(_policy(judgement), _verdict(judgement, place.mode, facts.action_type), place.mode)
        told = walk.told(trace) or sentences.reason(judgement.reason, _policy(judgement), self._hit(judgement))
        return replace(decision, because=f"{because}: {told}", trace=trace)

    def _judge(self, facts: FileFacts, place: Place, at_ms: int) -> Judgement:
        if facts.os != self.os:
            return Judgement(None, NO_ROW, ReasonCode.WRONG_OS)
        if not 0 <= at_ms <= LAST_MS:
            return Judgement(None, NO_ROW, ReasonCode.BAD_TIME)
        hits = self._index.match(facts)
        chain = self._layers.chain(place)
        found = _first_match(hits, chain, place.prioritize_builtin, facts.user, at_ms)
        if found is None:
            default = chain.default(place.prioritize_builtin)
            return Judgement(default, NO_ROW, ReasonCode.DEFAULT_DENY if default else ReasonCode.NO_POLICY)
        policy = found.policy
        if not found.readable:
            return Judgement(found, NO_ROW, ReasonCode.UNREADABLE_POLICY)
        for application in policy.applications:
            row = hits.get(application)
            if row is not None:
                return Judgement(found, row, _REASONS.get(policy.action, ReasonCode.DENY))
        return Judgement(found, NO_ROW, ReasonCode.UNREADABLE_RULE)

    def _decision(self, judgement: Judgement, mode: str, action_type: str) -> Decision:
        policy, hit = _policy(judgement), self._hit(judgement)
        outcome = _verdict(judgement, mode, action_type)
        permitting = judgement.reason in (ReasonCode.PERMIT, ReasonCode.RINGFENCE)
        ruling = sentences.ruling(policy, outcome, mode)
        return Decision(
            action=policy.action if policy and permitting else "deny",
            effect=outcome.effect,
            policy=policy.id if policy else None,
            policy_name=policy.name if policy else "",
            application=hit.application.id if hit else None,
            application_name=hit.application.name if hit else "",
            rule=hit.rule.id if hit else None,
            simulated=outcome.simulated,
            learned=outcome.learned,
            because=f"{ruling}: {sentences.reason(judgement.reason, policy, hit)}",
            reason_code=judgement.reason,
        )

    def _hit(self, judgement: Judgement) -> Hit | None:
        """The rule that decided; for a rule that cannot be read, that rule."""
        policy, unreadable = _policy(judgement), self._index.unreadable
        if judgement.row != NO_ROW:
            return self._index.hit(judgement.row)
        if policy is None or judgement.reason is not ReasonCode.UNREADABLE_RULE:
            return None
        return next(unreadable[name] for name in policy.applications if name in unreadable)


def _first_match(
    hits: Mapping[str, int], chain: Chain, prioritize_builtin: bool, user: str, at_ms: int
) -> Standing | None:
    """The active policy of lowest rank whose application matched, or which might have matched and is no permit."""
    best, best_rank = None, _NO_RANK
    for application in hits:
        for table in chain.tables:
            for standing in table.get(application, ()):
                rank = standing.rank_builtin_first if prioritize_builtin else standing.rank_custom_first
                if rank < best_rank and (standing.always or standing.skip_reason(user, at_ms) is None):
                    best, best_rank = standing, rank
    for standing in chain.suspects:
        rank = standing.rank(prioritize_builtin)
        # A permit that might have matched is passed over: what follows can only be stricter.
        reached = rank < best_rank and standing.policy.action != "permit"
        if reached and standing.skip_reason(user, at_ms) is None:
            best, best_rank = standing, rank
    return best


def _policy(judgement: Judgement) -> Policy | None:
    return None if judgement.standing is None else judgement.standing.policy


def _verdict(judgement: Judgement, mode: str, action_type: str) -> Verdict:
    policy = _policy(judgement)
    if judgement.reason in (ReasonCode.DEFAULT_DENY, ReasonCode.NO_POLICY):
        return default_verdict(mode, action_type)
    if judgement.reason in (ReasonCode.PERMIT, ReasonCode.RINGFENCE, ReasonCode.DENY) and policy:
        return verdict(policy.action, policy.status, mode)
    # An evaluation error is a deny. Only a policy that says so itself is enforced in a relaxed mode.
    strict = policy is not None and policy.action == "deny" and policy.status == "secured"
    return verdict("deny", "secured" if strict else "inherit", mode)
