"""All rules of all applications, so that facts find the ones they match without trying the others.

Every distinct condition is an *atom*, a small integer. Each rule is a *row* and hangs on its rarest atom; its other
atoms are checked by set membership. So a certificate that ten thousand rules share costs nothing extra.
"""

import gc
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.normal_form import normal_certificate, normal_hash
from policies.engine.pattern_error import PatternError
from policies.engine.patterns import ABSENT, UndefinedVariable, normal_pattern
from policies.engine.rules import PATTERN_FIELDS, RULE_FIELDS, FileRule, RuleField
from policies.engine.text_index import TextIndex

NO_ROW = -1
_MEMO_ENTRIES = 16_384
_MEMO_CHARACTERS = 512

# Atoms beside the rarest one, the row, and the id of its application.
_Anchored = tuple[tuple[int, ...], int, str]


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule of an application; `number` counts from 1 within it, `row` is its place in the index."""

    application: Application
    rule: FileRule
    number: int
    row: int


class RuleIndex:
    """Immutable once built, but for bounded memos of the fields that repeat."""

    def __init__(self, applications: Iterable[Application], os: str, machine: Mapping[str, str]) -> None:
        self.os = os
        self.applications = {application.id: application for application in applications}
        self.conditions: list[tuple[int, ...]] = []
        self.unreadable: dict[str, Hit] = {}
        self._owners: list[Application] = []
        self._numbers = array("L")
        self._atoms: dict[RuleField, dict[str, int]] = {field: {} for field in RULE_FIELDS}
        self._fields: list[RuleField] = []
        self._patterns: list[str] = []
        self._uses = array("L")
        self._rows_with: dict[int, list[int]] | None = None
        self._processes: dict[str, Sequence[int]] = {}
        self._creators: dict[str, Sequence[int]] = {}
        with no_garbage_collection():
            self._read(machine)
            self._hashes, self._certificates = self._atoms["hash"], self._atoms["certificate"]
            self._absent = {field: self._absent_atoms(field) for field in PATTERN_FIELDS}
            self._texts = {field: TextIndex(self._searchable(field), os) for field in PATTERN_FIELDS}
            self._note_unreadable_patterns()
            self._anchored = self._hang()

    def match(self, facts: FileFacts) -> dict[str, int]:
        """The applications that match and the row of the first rule of each that does, whatever policies say."""
        atoms = self.matched_atoms(facts)
        anchored = self._anchored
        found: dict[str, int] = {}
        for atom in atoms:
            for others, row, application in anchored[atom]:
                if (not others or atoms.issuperset(others)) and row <= found.get(application, row):
                    found[application] = row
        return found

    def matched_atoms(self, facts: FileFacts) -> set[int]:
        """Every condition, of any rule, that these facts satisfy."""
        atoms = set(self._texts["path"].match(facts.path))
        atoms.update(self._remembered("process", facts.process, self._processes))
        atoms.update(self._remembered("created_by", facts.created_by, self._creators))
        number = self._hashes.get(facts.sha256)
        if number is not None:
            atoms.add(number)
        for subject in facts.certificates:
            number = self._certificates.get(subject)
            if number is not None:
                atoms.add(number)
        return atoms

    def hit(self, row: int) -> Hit:
        application, number = self._owners[row], self._numbers[row]
        return Hit(application, application.rules[number - 1], number, row)

    def owner(self, row: int) -> Application:
        return self._owners[row]

    def condition(self, atom: int) -> tuple[RuleField, str]:
        """The field and the normal pattern of an atom."""
        return self._fields[atom], self._patterns[atom]

    def rows_with(self, atom: int) -> Sequence[int]:
        """The rows of the rules that have this condition. For explanations: the first call reads all rules."""
        if self._rows_with is None:
            rows_with: dict[int, list[int]] = {}
            for row, atoms in enumerate(self.conditions):
                for number in atoms:
                    rows_with.setdefault(number, []).append(row)
            self._rows_with = rows_with
        return self._rows_with.get(atom, ())

    def _remembered(self, field: RuleField, text: str, memo: dict[str, Sequence[int]]) -> Sequence[int]:
        if not text:
            return self._absent[field]
        found = memo.get(text)
        if found is None:
            found = self._texts[field].match(text)
            if len(text) <= _MEMO_CHARACTERS:
                if len(memo) >= _MEMO_ENTRIES:
                    memo.clear()
                memo[text] = found
        return found

    def _read(self, machine: Mapping[str, str]) -> None:
        for application in self.applications.values():
            for number, rule in enumerate(application.rules, start=1):
                try:
                    atoms = tuple([self._atom(*one) for one in rule_conditions(rule, self.os, machine)])
                except UndefinedVariable:
                    continue
                except PatternError:
                    self.unreadable.setdefault(application.id, Hit(application, rule, number, NO_ROW))
                    continue
                if atoms:
                    self.conditions.append(atoms)
                    self._owners.append(application)
                    self._numbers.append(number)

    def _atom(self, field: RuleField, pattern: str) -> int:
        known = self._atoms[field]
        number = known.get(pattern)
        if number is None:
            number = known[pattern] = len(self._patterns)
            self._fields.append(field)
            self._patterns.append(pattern)
            self._uses.append(0)
        self._uses[number] += 1
        return number

    def _searchable(self, field: RuleField) -> dict[str, int]:
        return {pattern: number for pattern, number in self._atoms[field].items() if pattern != ABSENT}

    def _absent_atoms(self, field: RuleField) -> tuple[int, ...]:
        number = self._atoms[field].get(ABSENT)
        return () if number is None else (number,)

    def _note_unreadable_patterns(self) -> None:
        broken: set[int] = set().union(*(index.unreadable for index in self._texts.values()))
        if broken:
            for row, atoms in enumerate(self.conditions):
                if not broken.isdisjoint(atoms):
                    self.unreadable.setdefault(self._owners[row].id, self.hit(row))

    def _hang(self) -> list[Sequence[_Anchored]]:
        """The rows that hang on each atom, by its number; an atom that is nobody's rarest has none."""
        anchored: dict[int, list[_Anchored]] = {}
        for row, atoms in enumerate(self.conditions):
            rarest = atoms[0]
            others: tuple[int, ...] = ()
            if len(atoms) > 1:
                rarest = min(atoms, key=self._uses.__getitem__)
                others = tuple([atom for atom in atoms if atom != rarest])
            anchored.setdefault(rarest, []).append((others, row, self._owners[row].id))
        return [anchored.get(atom, ()) for atom in range(len(self._patterns))]


def rule_conditions(rule: FileRule, os: str, machine: Mapping[str, str]) -> list[tuple[RuleField, str]]:
    """The conditions of a rule in normal form; a rule without any matches nothing.

    Raises PatternError for a condition that cannot be read, UndefinedVariable for one that names a machine variable
    which this computer does not have.
    """
    found: list[tuple[RuleField, str]] = []
    if rule.hash.strip():
        found.append(("hash", _readable(normal_hash(rule.hash), "bad_hash")))
    if rule.path.strip():
        found.append(("path", _readable(normal_pattern(rule.path, os, machine), "empty_pattern")))
    if rule.process.strip():
        found.append(("process", _readable(normal_pattern(rule.process, os, machine), "empty_pattern")))
    if rule.created_by.strip():
        found.append(("created_by", _readable(normal_pattern(rule.created_by, os, machine), "empty_pattern")))
    if rule.certificate.strip():
        found.append(("certificate", _readable(normal_certificate(rule.certificate), "empty_certificate")))
    return found


def _readable(text: str, code: str) -> str:
    if not text:
        raise PatternError(code, "A condition without a readable value.")
    return text


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Building makes a few hundred thousand objects and no garbage: collecting meanwhile doubles the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
