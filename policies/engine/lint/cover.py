"""Which rules are covered by others: proven by matching each rule, as if it were a file, against all of them.

The conditions of a rule become *symbolic facts*: each `*` of a pattern is written as U+0001 and each `?` as U+0002.
No pattern holds these, so only another pattern's `*` can take them; what takes them takes whatever they stand for.
A regular expression, and a pattern with `?`, is covered by and covers only its equals. Hence: every file that matches a
covered rule matches the one that covers it. The reverse is not claimed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType

from policies.engine.model import Application
from policies.engine.pattern_error import PatternError
from policies.engine.patterns import ABSENT, UndefinedVariable, is_regex, is_wildcard, matcher, names_stream
from policies.engine.rule_index import no_garbage_collection, rule_conditions
from policies.engine.rules import PATTERN_FIELDS, FileRule, RuleField
from policies.engine.text_index import TextIndex
from policies.engine.variables import STANDARD_MACHINE

ANY_RUN, ANY_ONE = "\x01", "\x02"
# Each computer has its own values of these: here a variable stands for itself and equals nothing else.
_OPAQUE = MappingProxyType({name: f"\x04{name}\x04" for name in STANDARD_MACHINE})
_LEADING_VARIABLE = re.compile(r'^\s*"?%[^%]*%')
_SYMBOLIC = str.maketrans({"*": ANY_RUN, "?": ANY_ONE})


@dataclass(slots=True)
class Row:
    """A readable rule: its number in its application counts from 1; `implied` are the conditions it satisfies."""

    application: Application
    rule: FileRule
    number: int
    atoms: tuple[int, ...]
    covered_here: list[int] = field(default_factory=list)


class Cover:
    """All rules of a set against each other.

    `rows`: the readable rules. `covering[application]`: for each distinct kind of rule in it, the applications that
    cover such a rule (itself among them). `unreadable`: applications with a rule that cannot be read, and that rule
    with the fault.
    """

    def __init__(self, applications: Iterable[Application], os: str) -> None:
        self.os = os
        self.rows: list[Row] = []
        self.covering: dict[str, set[frozenset[str]]] = {}
        self.unreadable: dict[str, tuple[FileRule, PatternError]] = {}
        self._atoms: dict[tuple[RuleField, str], int] = {}
        self._uses: list[int] = []
        with no_garbage_collection():
            for application in applications:
                self._read(application)
            self._implied = self._implications()
            self._hung = self._hang()
            for row in range(len(self.rows)):
                self._cover(row)

    def doubled(self) -> Iterator[tuple[Row, Row, bool]]:
        """(rule, the rule of the same application that covers it, whether both say the same), one for each rule."""
        for number, row in enumerate(self.rows):
            for other in row.covered_here:
                mutual = number in self.rows[other].covered_here
                if not mutual or other < number:
                    yield row, self.rows[other], row.atoms == self.rows[other].atoms
                    break

    def _read(self, application: Application) -> None:
        self.covering[application.id] = set()
        own = frozenset((application.id,))
        for number, rule in enumerate(application.rules, start=1):
            try:
                conditions = rule_conditions(rule, self.os, _OPAQUE)
                self._refuse_broken(conditions)
            except UndefinedVariable:
                continue
            except PatternError as error:
                self.unreadable.setdefault(application.id, (rule, error))
                continue
            if not conditions:
                continue
            if _is_odd(rule):
                self.covering[application.id].add(own)
                continue
            atoms = tuple([self._atom(*condition) for condition in conditions])
            self.rows.append(Row(application, rule, number, atoms))

    def _refuse_broken(self, conditions: Iterable[tuple[RuleField, str]]) -> None:
        """Raise PatternError for a regular expression that does not compile: its rule matches nothing, or anything."""
        for condition in conditions:
            name, pattern = condition
            if name in PATTERN_FIELDS and is_regex(pattern) and condition not in self._atoms:
                matcher(pattern, self.os)

    def _atom(self, field_name: RuleField, pattern: str) -> int:
        key = (field_name, pattern)
        number = self._atoms.get(key)
        if number is None:
            number = self._atoms[key] = len(self._uses)
            self._uses.append(0)
        self._uses[number] += 1
        return number

    def _implications(self) -> list[tuple[int, ...]]:
        """By atom: the other atoms that hold whenever it does."""
        implied: list[tuple[int, ...]] = [()] * len(self._uses)
        for name in PATTERN_FIELDS:
            mine = {pattern: number for (of, pattern), number in self._atoms.items() if of == name}
            takers = {p: n for p, n in mine.items() if "*" in p and "?" not in p and not is_regex(p)}
            if not takers:
                continue
            index = TextIndex(takers, self.os)
            named = {n for p, n in takers.items() if names_stream(p)} if self.os == "windows" else set(takers.values())
            for pattern, number in mine.items():
                if pattern == ABSENT or is_regex(pattern):
                    continue
                text = pattern.translate(_SYMBOLIC) if is_wildcard(pattern) else pattern
                found = index.match(text)
                if found and self.os == "windows" and names_stream(pattern):
                    found = [other for other in found if other in named]
                implied[number] = tuple([other for other in found if other != number])
        return implied

    def _hang(self) -> list[list[tuple[tuple[int, ...], int]]]:
        """Each row on its rarest atom, with the others it needs."""
        hung: list[list[tuple[tuple[int, ...], int]]] = [[] for _ in self._uses]
        for number, row in enumerate(self.rows):
            atoms = row.atoms
            if len(atoms) == 1:
                hung[atoms[0]].append(((), number))
            else:
                rarest = min(atoms, key=self._uses.__getitem__)
                hung[rarest].append((tuple([atom for atom in atoms if atom != rarest]), number))
        return hung

    def _cover(self, number: int) -> None:
        row = self.rows[number]
        satisfied = set(row.atoms)
        for atom in row.atoms:
            satisfied.update(self._implied[atom])
        own = row.application.id
        found = {own}
        for atom in satisfied:
            for others, other in self._hung[atom]:
                if other != number and (not others or satisfied.issuperset(others)):
                    application = self.rows[other].application.id
                    found.add(application)
                    if application == own:
                        row.covered_here.append(other)
        self.covering[own].add(frozenset(found))


def _is_odd(rule: FileRule) -> bool:
    """Whether its text could be taken for a sign of ours, or has a variable where a computer's value may surprise."""
    for text in (rule.path, rule.process, rule.created_by):
        if not text.isprintable() or ("%" in text and "%" in _LEADING_VARIABLE.sub("", text, count=1)):
            return True
    return False
