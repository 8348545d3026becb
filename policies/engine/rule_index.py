"""All rules of all applications, so that facts find the ones they match without trying the others.

Every distinct condition is an *atom*, a small integer. Each rule hangs on its rarest atom; its other atoms are checked
by set membership. So a certificate that ten thousand rules share costs nothing extra.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from policies.engine.facts import FileFacts
from policies.engine.model import Application
from policies.engine.normal_form import normal_certificate, normal_hash
from policies.engine.pattern_error import PatternError
from policies.engine.patterns import ABSENT, UndefinedVariable, normal_pattern
from policies.engine.rules import PATTERN_FIELDS, FileRule, RuleField
from policies.engine.text_index import TextIndex

Atom = tuple[str, str]

_MEMO_ENTRIES = 16_384
_MEMO_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Hit:
    """The first rule of an application that matched: `row` is its place in the index, `number` counts from 1."""

    application: Application
    rule: FileRule
    number: int
    row: int


class RuleIndex:
    """Immutable once built, but for bounded memos of the fields that repeat."""

    def __init__(self, applications: Iterable[Application], os: str, machine: Mapping[str, str]) -> None:
        self.os = os
        self.applications = {application.id: application for application in applications}
        self.atoms: list[Atom] = []
        self.rows: list[Hit] = []
        self.conditions: list[tuple[int, ...]] = []
        self.unreadable: dict[str, Hit] = {}
        self._numbers: dict[Atom, int] = {}
        self._uses: list[int] = []
        self._read(machine)
        self._texts = {field: TextIndex(self._patterns_of(field), os) for field in PATTERN_FIELDS}
        self._note_unreadable_patterns()
        self._hashes = self._patterns_of("hash")
        self._certificates = self._patterns_of("certificate")
        self._absent = {field: self._absent_atoms(field) for field in PATTERN_FIELDS}
        self._anchored = self._hang()
        self._rows_with: dict[int, list[int]] | None = None
        self._processes: dict[str, Sequence[int]] = {}
        self._creators: dict[str, Sequence[int]] = {}

    def match(self, facts: FileFacts) -> dict[str, Hit]:
        """The applications that match and the first rule of each that does, whatever policies say."""
        atoms = self.matched_atoms(facts)
        found: dict[str, Hit] = {}
        for atom in atoms:
            for others, hit in self._anchored.get(atom, ()):
                if atoms.issuperset(others):
                    earlier = found.get(hit.application.id)
                    if earlier is None or hit.row < earlier.row:
                        found[hit.application.id] = hit
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
                hit = Hit(application, rule, number, len(self.rows))
                try:
                    atoms = tuple(self._number(atom) for atom in rule_atoms(rule, self.os, machine))
                except UndefinedVariable:
                    continue
                except PatternError:
                    self.unreadable.setdefault(application.id, hit)
                    continue
                if atoms:
                    self.rows.append(hit)
                    self.conditions.append(atoms)

    def _number(self, atom: Atom) -> int:
        number = self._numbers.get(atom)
        if number is None:
            number = self._numbers[atom] = len(self.atoms)
            self.atoms.append(atom)
            self._uses.append(0)
        self._uses[number] += 1
        return number

    def _patterns_of(self, field: str) -> dict[str, int]:
        return {
            pattern: number
            for number, (of, pattern) in enumerate(self.atoms)
            if of == field and (pattern != ABSENT or field not in PATTERN_FIELDS)
        }

    def _absent_atoms(self, field: str) -> tuple[int, ...]:
        number = self._numbers.get((field, ABSENT))
        return () if number is None else (number,)

    def _note_unreadable_patterns(self) -> None:
        broken = set().union(*(index.unreadable for index in self._texts.values()))
        if broken:
            for hit, atoms in zip(self.rows, self.conditions, strict=True):
                if not broken.isdisjoint(atoms):
                    self.unreadable.setdefault(hit.application.id, hit)

    def _hang(self) -> dict[int, list[tuple[tuple[int, ...], Hit]]]:
        anchored: dict[int, list[tuple[tuple[int, ...], Hit]]] = {}
        for hit, atoms in zip(self.rows, self.conditions, strict=True):
            if len(atoms) == 1:
                anchored.setdefault(atoms[0], []).append(((), hit))
            else:
                rarest = min(atoms, key=self._uses.__getitem__)
                others = tuple(atom for atom in atoms if atom != rarest)
                anchored.setdefault(rarest, []).append((others, hit))
        return anchored


def rule_atoms(rule: FileRule, os: str, machine: Mapping[str, str]) -> list[Atom]:
    """The conditions of a rule in normal form; a rule without any matches nothing.

    Raises PatternError for a condition that cannot be read, UndefinedVariable for one that names a machine variable
    which this computer does not have.
    """
    atoms: list[Atom] = []
    if rule.hash.strip():
        atoms.append(("hash", _readable(normal_hash(rule.hash), "bad_hash")))
    for field in PATTERN_FIELDS:
        text: str = getattr(rule, field)
        if text.strip():
            atoms.append((field, _readable(normal_pattern(text, os, machine), "empty_pattern")))
    if rule.certificate.strip():
        atoms.append(("certificate", _readable(normal_certificate(rule.certificate), "empty_certificate")))
    return atoms


def _readable(text: str, code: str) -> str:
    if not text:
        raise PatternError(code, "A condition without a readable value.")
    return text
