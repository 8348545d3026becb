"""How a catalogue differs from the built-in applications in force, application by application."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from policies.builtin.schema import Entry, RuleEntry
from policies.engine.rules import RULE_FIELDS
from policies.models import Application, FileRule, Kind
from portal.tenants.reach import Reach

_LABELS = {
    "name": "Name",
    "publisher": "Publisher",
    "os": "System",
    "category": "Category",
    "description": "Description",
    "risk": "Risk",
    "suggested_ringfence": "Suggested ringfence",
    "source": "Sources",
    "catalogue_version": "Version",
    "hidden": "Retired",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One application. `fields`: (label, before, after). Rules by their conditions; moved ones are `reordered`."""

    key: str
    name: str
    kind: Literal["new", "changed", "retired"]
    application: UUID | None
    entry: Entry | None
    os: str = "windows"
    version_before: int = 0
    version_after: int = 0
    fields: tuple[tuple[str, object, object], ...] = ()
    added: tuple[RuleEntry, ...] = ()
    removed: tuple[RuleEntry, ...] = ()
    reordered: bool = False

    @property
    def changes_rules(self) -> bool:
        """Whether what the application matches can change."""
        return bool(self.added or self.removed)


def differences(reach: Reach, entries: Sequence[Entry]) -> list[Difference]:
    """What making the built-in applications equal to `entries` would change, by key. Two statements."""
    rows = {str(a.catalogue_key): a for a in Application.objects.within(reach).filter(kind=Kind.BUILTIN)}
    rules: dict[UUID, list[RuleEntry]] = defaultdict(list)
    for rule in FileRule.objects.within(reach).filter(application__kind=Kind.BUILTIN).order_by("position", "id"):
        boxes = {name: getattr(rule, name) for name in (*RULE_FIELDS, "note")}
        rules[rule.application_id].append(RuleEntry(**boxes))
    found = []
    for entry in entries:
        row = rows.pop(entry.key, None)
        one = _new(entry) if row is None else _changed(row, rules[row.id], entry)
        if one is not None:
            found.append(one)
    found += [_retired(row) for row in rows.values() if not row.hidden]
    return sorted(found, key=lambda one: (one.kind != "retired", one.kind != "changed", one.name.casefold()))


def _new(entry: Entry) -> Difference:
    return Difference(
        entry.key, entry.name, "new", None, entry, entry.os, version_after=entry.version, added=tuple(entry.rules)
    )


def _retired(row: Application) -> Difference:
    return Difference(
        str(row.catalogue_key), row.name, "retired", row.id, None, row.os, version_before=row.catalogue_version
    )


def _changed(row: Application, there: list[RuleEntry], entry: Entry) -> Difference | None:
    fields = tuple(
        (_LABELS[name], getattr(row, name), value)
        for name, value in entry.columns.items()
        if getattr(row, name) != value
    )
    if not fields and there == entry.rules:
        return None
    before, after = {r.conditions for r in there}, {r.conditions for r in entry.rules}
    return Difference(
        key=entry.key,
        name=row.name,
        kind="changed",
        application=row.id,
        entry=entry,
        os=entry.os,
        version_before=row.catalogue_version,
        version_after=entry.version,
        fields=fields,
        added=tuple(r for r in entry.rules if r.conditions not in before),
        removed=tuple(r for r in there if r.conditions not in after),
        reordered=before == after and there != entry.rules,
    )
