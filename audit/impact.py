"""What a rule would have changed: which of the last denials it matches, scope by scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from audit import search
from audit.event_rows import EventRow
from audit.explain import facts_of
from audit.search_terms import EventTerms
from audit.words import Outcome
from policies.catalogue import RuleDraft, rule_fault
from policies.engine.engine import Engine
from policies.engine.model import Application
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule, RuleError, check_rule
from policies.linting import Finding, check_rule_text
from policies.models import Level
from policies.strength import strength
from portal.common import clock
from portal.common.errors import FieldError
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

DAYS = 30
MOST_DENIALS = 500
_SHOWN = 5
_RULE = "rule"


@dataclass(frozen=True, slots=True)
class Impact:
    """Of the newest 500 denials of 30 days: how many the rule matches, on how many computers.

    `matching` and `missed` are paths, each once, at most five; `missed` are those in the event's folder that stay
    denied. `faults`: why the rule cannot be saved; then nothing was counted. `strength` of 5. `findings`: what lint
    says of the rule.
    """

    solved: int = 0
    denials: int = 0
    computers: int = 0
    others: int = 0
    matching: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    strength: int = 0
    faults: tuple[FieldError, ...] = ()
    matched: tuple[EventRow, ...] = ()
    findings: tuple[Finding, ...] = ()

    def solved_at(self, level: str, target: UUID) -> int:
        """How many of the matched denials lie in one scope of the event's organization."""
        return sum(_is_at(row, level, target) for row in self.matched)


def impact(reach: Reach, event: EventRow, rule: RuleDraft, *, organization: Organization | None) -> Impact:
    """Try `rule` on recent denials of the organization (of all in reach when None), on the event's system only."""
    os = event.computer.os if event.computer else "windows"
    engine_rule = FileRule(_RULE, rule.hash, rule.path, rule.process, rule.created_by, rule.certificate)
    try:
        check_rule(engine_rule, os)
    except RuleError as error:
        return Impact(faults=(rule_fault(error),))
    engine = Engine((Application(_RULE, "the rule", builtin=False, rules=(engine_rule,)),), (), os)
    matched: list[EventRow] = []
    missed: list[EventRow] = []
    for row in _denials(reach, organization, os):
        (matched if engine.matching_rules(normal_facts(facts_of(row))) else missed).append(row)
    return Impact(
        solved=len(matched),
        denials=len(matched) + len(missed),
        computers=len({row.computer.id for row in matched if row.computer}),
        others=len({row.path.lower() for row in matched} - {event.path.lower()}),
        matching=_paths(matched),
        missed=_paths([row for row in missed if row.folder.lower() == event.folder.lower()]),
        strength=strength(rule, os).score,
        matched=tuple(matched),
        findings=tuple(check_rule_text(os, rule)),
    )


def _denials(reach: Reach, organization: Organization | None, os: str) -> list[EventRow]:
    terms = EventTerms(
        low=clock.now() - timedelta(days=DAYS), outcomes=frozenset({int(Outcome.DENIED), int(Outcome.WOULD_DENY)})
    )
    rows = search.events(reach, terms, organization=organization, size=MOST_DENIALS).rows
    return [row for row in rows if row.computer is not None and row.computer.os == os]


def _paths(rows: Sequence[EventRow]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.path for row in rows))[:_SHOWN]


def _is_at(row: EventRow, level: str, target: UUID) -> bool:
    if row.computer is None:
        return False
    own = {Level.COMPUTER: row.computer.id, Level.GROUP: row.computer.group_id}
    return level == Level.GLOBAL or own.get(Level(level), row.computer.organization_id) == target
