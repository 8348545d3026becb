"""Many rules at once: pasted hashes or a CSV become file rules of an application, all of them or none.

Text first: a line that cannot be read is told with its number, and nothing of the text is lost.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from policies import queries
from policies.catalogue import RuleDraft, checked_rules, count_change, locked_application, owner_of, told
from policies.engine.patterns import is_regex
from policies.engine.rules import RULE_FIELDS
from policies.models import Application
from policies.rule_rows import MOST_RULES, require_places, save_rules
from portal.common.errors import FieldError, Invalid, Refused
from portal.tenants import journal
from portal.tenants.reach import Reach

MOST_LINES = MOST_RULES
_MOST_TOLD = 50
_LONGEST_LINE = 32_768
_COLUMNS = {
    "hash": "hash", "sha256": "hash", "sha-256": "hash", "path": "path", "full path": "path", "process": "process",
    "created_by": "created_by", "created by": "created_by", "certificate": "certificate", "signer": "certificate",
    "note": "note", "notes": "note",
}  # fmt: skip
_HEX = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class LineFault:
    """What is wrong with one line of the text; lines count from 1."""

    line: int
    text: str
    message: str


@dataclass(frozen=True, slots=True)
class ReadRules:
    """What a text says: `rules` with the line of each, and what could not be read."""

    rules: tuple[RuleDraft, ...] = ()
    lines: tuple[int, ...] = ()
    faults: tuple[LineFault, ...] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """How many rules came in, and how many were there already (or twice in the list)."""

    added: int
    known: int


def read_rules(text: str, os: str) -> ReadRules:
    """The rules of a pasted text. One a line: a hash, or a path, and after a comma or spaces a note; or CSV whose first
    line names columns (hash, path, process, created_by, certificate, note). Empty lines and lines that begin with `#`
    are skipped.
    """
    rules: list[RuleDraft] = []
    lines: list[int] = []
    faults: list[LineFault] = []
    header: list[str] | None = None
    for number, line in _lines(text):
        if len(line) > _LONGEST_LINE:
            faults.append(LineFault(number, line[:200], "This line is too long to be a rule."))
            continue
        cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]
        if header is None and not rules and not faults:
            header = _header(cells)
            if header is not None:
                continue
        try:
            draft = _of_columns(header, cells) if header else _of_line(line, cells)
            checked_rules([draft], os)
        except Invalid as error:
            faults.append(LineFault(number, line[:200], " ".join(one.detail for one in error.errors)))
            continue
        rules.append(draft)
        lines.append(number)
        if len(rules) > MOST_LINES:
            faults.append(LineFault(number, "", f"More than {MOST_LINES:,} lines. Make it two lists."))
            break
    return ReadRules(tuple(rules), tuple(lines), tuple(faults))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        line = raw.strip().replace("\x00", "")
        if line and not line.startswith("#"):
            yield number, line


def _header(cells: Sequence[str]) -> list[str] | None:
    names = [_COLUMNS.get(cell.lower(), "") for cell in cells]
    return names if names and all(names) and len(set(names)) == len(names) else None


def _of_columns(header: Sequence[str], cells: Sequence[str]) -> RuleDraft:
    if len(cells) > len(header):
        raise Invalid(
            [FieldError("", f"This line has {len(cells)} cells, the first line names {len(header)} columns.")]
        )
    return RuleDraft(**dict(zip(header, cells, strict=False)))


def _of_line(line: str, cells: Sequence[str]) -> RuleDraft:
    first = cells[0]
    word, _, rest = first.partition(" ")
    if len(word) >= 32 and not set(word) - _HEX:
        note = " ".join((rest.strip(), *cells[1:])).strip()
        return RuleDraft(hash=word, note=note)
    if is_regex(line):
        return RuleDraft(path=line)
    if "\\" in first or "/" in first or "%" in first:
        return RuleDraft(path=first, note=" ".join(cells[1:]).strip())
    raise Invalid([FieldError("", "This is neither a SHA-256 nor a path.")])


@transaction.atomic
def add_file_rules(reach: Reach, application_id: UUID, *, rules: Sequence[RuleDraft]) -> Added:
    """Add rules at the end of a custom application, in their order; those that it has already are counted, not added.

    All or none: raises Invalid with `/rules/<index>/<box>`, Refused, NotFound, Forbidden. Locks the organization.
    """
    if not rules:
        raise Refused("There is no rule in this list.", pointer="/rules")
    application = locked_application(reach, application_id)
    drafts = checked_rules(rules, application.os)
    existing = queries.rules_of(reach, application.id)
    have = set(existing.values_list(*RULE_FIELDS))
    last = existing.aggregate(last=Max("position"))["last"] or 0
    fresh: dict[tuple[str, ...], RuleDraft] = {}
    for draft in drafts:
        key = tuple(getattr(draft, name) for name in RULE_FIELDS)
        if key not in have:
            fresh.setdefault(key, draft)
    require_places(len(have) + len(fresh))
    save_rules(reach, application, list(fresh.values()), after=last)
    if fresh:
        _tell(reach, application, list(fresh.values()))
    return Added(len(fresh), len(drafts) - len(fresh))


def _tell(reach: Reach, application: Application, drafts: Sequence[RuleDraft]) -> None:
    application.changed_by = reach.actor.name
    application.save(update_fields=["changed_by", "changed_at"])
    after = {"rules": [told(draft) for draft in drafts[:_MOST_TOLD]], "count": len(drafts)}
    verb = "application.rules_added"
    journal.record(reach, verb, application, organization_id=owner_of(application), after=after)
    many = "rule" if len(drafts) == 1 else "rules"
    count_change(reach, application, verb, f"{len(drafts):,} {many} added to {application.name}")
