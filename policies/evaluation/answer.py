"""The answer of the Evaluate screen: the decision with its trace, what is not known, and what would permit it."""

from __future__ import annotations

from dataclasses import dataclass

from policies.compile import SettingsInForce
from policies.engine.decision import ConditionCheck, Decision, TraceStep
from policies.engine.model import Place
from policies.engine.normal_form import normal_facts
from policies.evaluate import Case, judged
from policies.evaluation.deployed import Deployed, decide_as_deployed, deployed_at
from policies.evaluation.question import FIELD_OF, Question
from policies.evaluation.smallest import Change, smallest_changes
from policies.models.applications import CONDITION_LABELS
from portal.common import clock
from portal.tenants.reach import Reach

Line = tuple[TraceStep, list[tuple[str, ConditionCheck]]]  # a step, and its conditions with their labels


@dataclass(frozen=True, slots=True)
class Answer:
    """`decision` by the policies asked for; `saved` by those saved now (the same, unless asked as deployed).

    `deployed`: the bundle that decided, None when asked as saved; `not_deployed`: it was asked for and there is none.
    `could`: near misses that fail only in facts which were not given. `warning`: the path looks like another system's.
    """

    question: Question
    decision: Decision
    saved: Decision
    place: Place
    settings: SettingsInForce
    changes: tuple[Change, ...]
    could: tuple[TraceStep, ...]
    deployed: Deployed | None = None
    not_deployed: bool = False
    warning: str = ""

    @property
    def steps(self) -> list[Line]:
        """The candidates, in evaluation order."""
        return [_line(step) for step in self.decision.trace if step.outcome != "near_miss"]

    @property
    def near_misses(self) -> list[Line]:
        return [_line(step) for step in self.decision.trace if step.outcome == "near_miss"]

    @property
    def differs(self) -> bool:
        """Whether what is deployed decides other than what is saved."""
        return (self.saved.effect, self.saved.action, self.saved.policy) != (
            self.decision.effect, self.decision.action, self.decision.policy,
        )  # fmt: skip


def _line(step: TraceStep) -> Line:
    return step, [(CONDITION_LABELS[check.field], check) for check in step.conditions]


def answer(reach: Reach, question: Question) -> Answer:
    """Judge the question. Raises NotFound when its place is out of reach."""
    case = judged(reach, facts=question.facts, computer=question.computer, group=question.group, at=question.at)
    deployed = None
    if question.as_deployed and question.computer is not None:
        deployed = deployed_at()(reach, question.computer, question.at or clock.now())
    decision = decide_as_deployed(deployed, normal_facts(question.facts), case.at_ms) if deployed else case.decision
    return Answer(
        question=question,
        decision=decision,
        saved=case.decision,
        place=deployed.place if deployed else case.place,
        settings=_settings(case, question),
        changes=smallest_changes(case),
        could=tuple(step for step in decision.trace if _could_match(step, question)),
        deployed=deployed,
        not_deployed=question.as_deployed and deployed is None,
        warning=_other_system(question),
    )


def _settings(case: Case, question: Question) -> SettingsInForce:
    places = case.places
    if question.computer is not None:
        return places.settings_of(question.computer)
    return places.settings_in(question.group) if question.group else SettingsInForce()


def _could_match(step: TraceStep, question: Question) -> bool:
    """Whether a rule fails only in facts that were not given."""
    failed = [check for check in step.conditions if not check.matched]
    unknown = all(not getattr(question.facts, FIELD_OF[check.field]) for check in failed)
    return step.outcome == "near_miss" and bool(failed) and unknown


def _other_system(question: Question) -> str:
    path, os = question.facts.path, question.os
    looks_windows = path[1:3] in (":\\", ":/") or path.startswith("\\\\")
    if looks_windows and os != "windows":
        return "This path is written as on Windows, and the computer is not a Windows one: nothing will match it."
    if path.startswith("/") and os == "windows":
        return "This path is written as on Linux or macOS, and the computer is a Windows one."
    return ""
