"""Explain: what decided then, as the computer reported it, and what would decide now, with everything saved."""

from __future__ import annotations

from dataclasses import dataclass

from audit.event_rows import EventRow
from policies import evaluate
from policies.engine.decision import Decision, TraceStep
from policies.engine.facts import FileFacts
from portal.common.errors import NotFound
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Line:
    """One policy of the comparison. `then` and `now` are what it did: an action, or why it did not decide."""

    order: int | None
    policy: str
    name: str
    place: str
    then: str
    now: str
    then_action: str = ""
    now_action: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`now` is None when the computer is gone. `lines` in evaluation order; near misses first found stand last."""

    row: EventRow
    now: Decision | None
    lines: tuple[Line, ...]
    smallest: str

    @property
    def changed(self) -> bool:
        return self.now is not None and self.now.effect != self.row.outcome.effect


def facts_of(row: EventRow) -> FileFacts:
    """The facts that the engine decides on, as the event tells them."""
    return FileFacts(
        path=row.path,
        sha256=row.sha256,
        certificates=(row.certificate,) if row.certificate else (),
        process=row.process,
        created_by=row.created_by,
        command_line=row.command_line,
        user=row.user,
        os=row.computer.os if row.computer else "windows",
        action_type=row.action_type.word,
    )


def explain(reach: Reach, row: EventRow) -> Explanation:
    """Compare the recorded decision with that of now, at the same computer. Reads the policies of today as saved."""
    now = None
    if row.computer is not None and not row.is_gap:
        try:
            now = evaluate.evaluate(reach, facts=facts_of(row), computer=row.computer)
        except NotFound:
            now = None
    return Explanation(row, now, _lines(row, now), _smallest(row, now))


def _lines(row: EventRow, now: Decision | None) -> tuple[Line, ...]:
    steps = now.trace if now else ()
    lines = [_line(row, step) for step in steps]
    if row.policy and all(line.policy != row.policy for line in lines):
        name = row.policy_name or "a policy that is gone"
        gone = "does not match any more" if now else ""
        lines.insert(0, Line(None, row.policy, name, "", "decided", gone, row.action.word if row.action else ""))
    return tuple(lines)


def _line(row: EventRow, step: TraceStep) -> Line:
    decided_then = step.policy == row.policy
    place = " · ".join(
        part
        for part in (step.application_name, f"rule {step.rule_number}" if step.rule_number else "", step.level)
        if part
    )
    return Line(
        order=step.order,
        policy=step.policy,
        name=step.policy_name,
        place=place,
        then="decided" if decided_then else "",
        now="decided" if step.outcome == "won" else step.sentence or step.outcome.replace("_", " "),
        then_action=row.action.word if decided_then and row.action else "",
        now_action=step.action if step.outcome == "won" else "",
    )


def _smallest(row: EventRow, now: Decision | None) -> str:
    """What it would take to let it run, or that nothing is missing any more."""
    if now is None or not row.outcome.is_deny:
        return ""
    if now.effect != "denied" and not now.simulated:
        return (
            f"As saved now, {now.policy_name or 'a policy'} permits this. Deploy Policies to bring it to the computer."
        )
    near = next((step for step in now.trace if step.outcome == "near_miss"), None)
    if near is not None:
        failed = next((check for check in near.conditions if not check.matched), None)
        if failed is not None:
            rule = f"rule {near.rule_number} of {near.application_name}"
            return f"Smallest change: the {failed.field.replace('_', '-')} of {rule}, which asks for {failed.pattern}."
    return "No rule comes close. Permit Application makes one from these facts."
