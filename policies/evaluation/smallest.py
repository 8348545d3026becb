"""The smallest change that would permit what is stopped: candidates, each proved by judging the facts again with it.

Smallest is what would permit least else: the narrower scope first, then the more exact condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from policies.catalogue import RuleDraft
from policies.engine.decision import Decision, SkipReason, TraceStep
from policies.engine.engine import Engine
from policies.engine.model import Application, Level, Place, Policy
from policies.engine.ordering import DEFAULT, FIRST_BUILTIN, FIRST_CUSTOM, LAST_BUILTIN
from policies.engine.rules import FileRule
from policies.evaluate import Case
from policies.evaluation.rule_choice import exact_rule, lasting_rule

Code = Literal[
    "arm", "extend", "start", "widen_schedule", "add_user", "add_rule", "create_permit", "move", "prioritize", "disable"
]
MOST = 4
NEW = "new"

_STEP = 10  # between orders while candidates are judged, so that one always fits before another
_SCOPE = {"computer": 0, "group": 1, "organization": 2, "global": 3}
_EXACT, _NARROW, _WHOLE, _ALL, _UNDO = 0, 1, 2, 20, 30
_PERMITTING = ("permit", "permit_ringfenced")


@dataclass(frozen=True, slots=True)
class Change:
    """One change after which the facts are permitted, proved.

    `also`: what else it would permit. `policy`, `application`: ids of what is changed, None for a new one. `rule`: the
    rule to add, or of the new application. `level`: where it takes effect. `before`: the policy it must stand before.
    `decision`: what the engine says with the change.
    """

    code: Code
    text: str
    also: str
    level: Level
    breadth: int
    decision: Decision
    policy: str | None = None
    application: str | None = None
    rule: RuleDraft | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A change not yet proved, and what the engine would then see."""

    code: Code
    text: str
    also: str
    level: Level
    what: int
    policies: tuple[Policy, ...]
    applications: Mapping[str, Application]
    place: Place
    policy: str | None = None
    application: str | None = None
    rule: RuleDraft | None = None
    before: str | None = None


def smallest_changes(case: Case) -> tuple[Change, ...]:
    """At most four changes that would permit what is stopped here, the smallest first; none when nothing is stopped."""
    if case.decision.action != "deny":
        return ()
    found: dict[tuple[str, str | None, RuleDraft | None], Change] = {}
    for candidate in _candidates(case):
        decision = _judged(case, candidate)
        if decision.action == "deny":
            continue
        breadth = _SCOPE[candidate.level] * 3 + candidate.what
        change = Change(
            code=candidate.code,
            text=candidate.text,
            also=candidate.also,
            level=candidate.level,
            breadth=breadth,
            decision=decision,
            policy=candidate.policy,
            application=candidate.application,
            rule=candidate.rule,
            before=candidate.before,
        )
        found.setdefault((change.code, change.policy, change.rule), change)
    return tuple(sorted(found.values(), key=lambda change: change.breadth)[:MOST])


def _judged(case: Case, candidate: _Candidate) -> Decision:
    engine = Engine(candidate.applications.values(), candidate.policies, case.place.os)
    return engine.decide(case.facts, candidate.place, case.at_ms)


def _candidates(case: Case) -> Iterator[_Candidate]:
    policies = spread(case.policies)
    by_id = {policy.id: policy for policy in policies}
    for step in case.decision.trace:
        policy = by_id.get(step.policy)
        if policy is None or policy.is_default or step.action not in _PERMITTING:
            continue
        if step.outcome == "skipped":
            yield from _revived(case, policies, policy, step)
        elif step.outcome == "near_miss":
            yield from _fitted(case, policies, policy, step)
        elif step.outcome == "later":
            yield from _moved(case, policies, policy, by_id)
    yield from _created(case, policies, by_id)
    yield from _other_way_round(case, policies)
    yield from _disabled(case, policies, by_id)


def spread(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """The same policies in the same order with room between them. Equal orders stay equal, each stays in its range."""
    found = tuple(policies)
    numbers: dict[int, int] = {DEFAULT: DEFAULT}
    orders = sorted({policy.order for policy in found if policy.order != DEFAULT})
    for first, of in (
        (FIRST_BUILTIN, [order for order in orders if order <= LAST_BUILTIN]),
        (FIRST_CUSTOM, [order for order in orders if order > LAST_BUILTIN]),
    ):
        numbers |= {order: first + _STEP * rank for rank, order in enumerate(of, start=1)}
    return tuple(replace(policy, order=numbers[policy.order]) for policy in found)


def _revived(case: Case, policies: tuple[Policy, ...], policy: Policy, step: TraceStep) -> Iterator[_Candidate]:
    """A policy that matches and does not count now."""
    name, user = policy.name, case.facts.user
    ways: dict[str, tuple[Code, str, Policy, int]] = {
        SkipReason.DISABLED: ("arm", f"Arm {name} while it is needed", replace(policy, enabled=True), _WHOLE),
        SkipReason.EXPIRED: ("extend", f"Extend {name}", replace(policy, expires_at=None), _WHOLE),
        SkipReason.NOT_STARTED: ("start", f"Let {name} start earlier", replace(policy, starts_at=None), _WHOLE),
        SkipReason.OUTSIDE_SCHEDULE: (
            "widen_schedule",
            f"Widen the schedule of {name} to this time",
            replace(policy, schedule=()),
            _WHOLE,
        ),
    }
    if user:
        users = (*policy.users, user)
        ways[SkipReason.OTHER_USER] = (
            "add_user",
            f"Add {user} to the users of {name}",
            replace(policy, users=users),
            _NARROW,
        )
    if step.reason in ways:
        code, text, revived, what = ways[step.reason]
        yield _Candidate(
            code=code,
            text=text,
            also=f"Everything else that {step.application_name} covers runs too, wherever {name} applies.",
            level=policy.level,
            what=what,
            policies=_with(policies, revived),
            applications=case.applications,
            place=case.place,
            policy=policy.id,
        )


def _fitted(case: Case, policies: tuple[Policy, ...], policy: Policy, step: TraceStep) -> Iterator[_Candidate]:
    """A rule of which one condition failed: the same rule once more, with what was seen in that place."""
    failed = [check for check in step.conditions if not check.matched]
    application = case.rules.applications.get(step.application or "")
    if application is None or application.builtin or len(failed) != 1 or not failed[0].value:
        return
    old = next((rule for rule in application.rules if rule.id == step.rule), None)
    if old is None:
        return
    fitted = replace(old, id=NEW, **{failed[0].field: failed[0].value})
    rule = RuleDraft(fitted.hash, fitted.path, fitted.process, fitted.created_by, fitted.certificate)
    label = failed[0].field.replace("_", "-")
    yield _Candidate(
        code="add_rule",
        text=f"Add a rule to {application.name}: rule {step.rule_number} with this {label}",
        also="Other files that match the new rule run too, wherever the application is permitted.",
        level=policy.level,
        what=_EXACT if rule.hash else _NARROW,
        policies=policies,
        applications={**case.applications, application.id: replace(application, rules=(*application.rules, fitted))},
        place=case.place,
        policy=policy.id,
        application=application.id,
        rule=rule,
    )


def _moved(
    case: Case, policies: tuple[Policy, ...], policy: Policy, by_id: Mapping[str, Policy]
) -> Iterator[_Candidate]:
    """A permit that would have matched after the deny that decided."""
    deny = by_id.get(case.decision.policy or "")
    same_range = deny is not None and (deny.order <= LAST_BUILTIN) == (policy.order <= LAST_BUILTIN)
    if deny is None or deny.is_default or not same_range:
        return
    yield _Candidate(
        code="move",
        text=f"Move {policy.name} before {deny.name}",
        also=f"What both match is then permitted, wherever {policy.name} applies.",
        level=policy.level,
        what=_WHOLE,
        policies=_with(policies, replace(policy, order=deny.order - _STEP // 2)),
        applications=case.applications,
        place=case.place,
        policy=policy.id,
        before=deny.id,
    )


def _created(case: Case, policies: tuple[Policy, ...], by_id: Mapping[str, Policy]) -> Iterator[_Candidate]:
    """A new permit at the narrowest scope: by what lasts, and by what is exact."""
    level: Level = "computer" if case.place.computer else "group"
    target = case.place.computer or case.place.group
    where = "on this computer" if level == "computer" else "in this group"
    deny = by_id.get(case.decision.policy or "")
    if deny is not None and (deny.is_default or deny.order <= LAST_BUILTIN):
        deny = None  # a permit at the bottom stands before the one, and never before the other
    order = DEFAULT - 1 if deny is None else deny.order - _STEP // 2
    for rule, what in ((lasting_rule(case.told), _NARROW), (exact_rule(case.told), _EXACT)):
        if rule is None:
            continue
        file_rule = FileRule(NEW, rule.hash, rule.path, rule.process, rule.created_by, rule.certificate)
        permit = Policy(NEW, "a new permit", level, target, "permit", order=order, applications=(NEW,))
        by = "its hash" if rule.hash else " and ".join(word for name, word in _WORDS if getattr(rule, name))
        yield _Candidate(
            code="create_permit",
            text=f"Permit it {where} by {by}" + (f", before {deny.name}" if deny else ""),
            also="Nothing else: only this very file." if rule.hash else f"Other files with the same {by}, {where}.",
            level=level,
            what=what,
            policies=(*policies, permit),
            applications={**case.applications, NEW: Application(NEW, "new", False, (file_rule,))},
            place=case.place,
            rule=rule,
            before=deny.id if deny else None,
        )


_WORDS = (("certificate", "signer"), ("path", "path"), ("created_by", "created-by"), ("process", "process"))


def _other_way_round(case: Case, policies: tuple[Policy, ...]) -> Iterator[_Candidate]:
    """Built-in policies after custom ones, or the reverse."""
    first = not case.place.prioritize_builtin
    level: Level = "computer" if case.place.computer else "group"
    yield _Candidate(
        code="prioritize",
        text=f"Set Prioritize Built-In Applications to {'On' if first else 'Off'} "
        + ("for this computer" if level == "computer" else "for this group"),
        also=f"Wherever built-in and custom policies disagree there, the {'built-in' if first else 'custom'} ones win.",
        level=level,
        what=_ALL,
        policies=policies,
        applications=case.applications,
        place=replace(case.place, prioritize_builtin=first),
    )


def _disabled(case: Case, policies: tuple[Policy, ...], by_id: Mapping[str, Policy]) -> Iterator[_Candidate]:
    """The deny that decided, gone."""
    deny = by_id.get(case.decision.policy or "")
    if deny is None or deny.is_default:
        return
    yield _Candidate(
        code="disable",
        text=f"Disable {deny.name}",
        also="Everything it denies is then judged by the policies after it.",
        level=deny.level,
        what=_UNDO,
        policies=_with(policies, replace(deny, enabled=False)),
        applications=case.applications,
        place=case.place,
        policy=deny.id,
    )


def _with(policies: Iterable[Policy], changed: Policy) -> tuple[Policy, ...]:
    return tuple(changed if policy.id == changed.id else policy for policy in policies)
