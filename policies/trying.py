"""Try it: which rules of one application match some facts, and which condition of the others does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from policies import queries
from policies.compile.rules import load_applications
from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.normal_form import normal_facts
from policies.engine.rule_index import RuleIndex
from policies.engine.variables import STANDARD_MACHINE
from policies.models.applications import CONDITION_LABELS
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """One rule against the facts. `failed`: labels of the conditions that did not match, in the rule's order."""

    number: int
    matched: bool
    failed: tuple[str, ...] = ()


def try_application(reach: Reach, application_id: UUID | str, facts: FileFacts) -> list[RuleTrial]:
    """Every rule of an application, by position, against `facts`. Raises NotFound."""
    row = queries.application(reach, application_id)
    found, _ = load_applications([row.id])
    rules = found[str(row.id)].rules
    singles = [Application(str(number), "", False, (rule,)) for number, rule in enumerate(rules, start=1)]
    index = RuleIndex(singles, row.os, STANDARD_MACHINE)
    matched = index.matched_atoms(normal_facts(replace(facts, os=row.os)))
    trials = []
    for position, conditions in enumerate(index.conditions):
        failed = [CONDITION_LABELS[index.condition(number)[0]] for number in conditions if number not in matched]
        number = int(index.owner(position).id)
        trials.append(RuleTrial(number, not failed, tuple(failed)))
    return sorted(trials, key=lambda trial: trial.number)


def verdict_on(trials: Sequence[RuleTrial]) -> str:
    """Which rules match, in words; empty when none does."""
    numbers = [str(trial.number) for trial in trials if trial.matched]
    if not numbers:
        return ""
    return f"Rule {numbers[0]} matches." if len(numbers) == 1 else f"Rules {', '.join(numbers)} match."
