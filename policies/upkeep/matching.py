"""Which of several sets of rules match what was seen, by the engine itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.catalogue import RuleDraft
from policies.engine.model import Application
from policies.engine.rule_index import RuleIndex
from policies.engine.rules import RULE_FIELDS, FileRule
from policies.engine.variables import STANDARD_MACHINE
from policies.models import FileRule as Row
from policies.upkeep.evidence import Sighting


class Matcher:
    """Several named sets of rules; a set matches when any of its rules does. Serves one thread."""

    def __init__(self, sets: Mapping[str, Sequence[RuleDraft]], os: str) -> None:
        applications = [
            Application(key, key, builtin=False, rules=tuple(engine_rule(rule, str(n)) for n, rule in enumerate(rules)))
            for key, rules in sets.items()
        ]
        self._index = RuleIndex(applications, os, STANDARD_MACHINE)

    def sets_matching(self, sighting: Sighting) -> frozenset[str]:
        """The names of the sets that match."""
        return frozenset(self._index.match(sighting.facts))


def engine_rule(rule: RuleDraft, key: str = "") -> FileRule:
    """The draft as the engine takes it."""
    return FileRule(key, **{name: getattr(rule, name) for name in RULE_FIELDS})


def conditions(rule: RuleDraft | Row) -> tuple[str, ...]:
    """What makes two rules the same: everything but the note."""
    return tuple(getattr(rule, name) for name in RULE_FIELDS)
