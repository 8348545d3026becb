"""Reads the catalogue's files, checks them, and makes the built-in applications of the database equal to them.

A fact that is not publicly known is not in a file: where a signer's full subject is uncertain, a rule goes by a
protected path and says so in its note. RMM agents are covered as programs, never with the scripts they send.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from django.db import transaction

from policies import catalogue, changes, queries, ringfence
from policies.engine.rules import RULE_FIELDS, RuleError, check_rule
from policies.engine.rules import FileRule as EngineRule
from policies.models import Application, Category, FileRule, Kind
from portal.tenants import journal
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

FOLDER = Path(__file__).parent / "applications"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
_Box = Annotated[str, msgspec.Meta(max_length=2048)]


class CatalogueError(ValueError):
    """A catalogue file that cannot be used; the message names the file."""


class RuleEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file rule of a catalogue file."""

    hash: _Box = ""
    path: _Box = ""
    process: _Box = ""
    created_by: _Box = ""
    certificate: _Box = ""
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(getattr(self, name) for name in RULE_FIELDS)


class SourceEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where a fact is from: one sentence, and the public page that says so where there is one."""

    says: _Text
    url: Annotated[str, msgspec.Meta(pattern="^(https://[^ ]+)?$", max_length=500)] = ""

    def __str__(self) -> str:
        return f"{self.says} {self.url}".rstrip()


class Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One catalogue file. `risk`: what it could be misused for. `ringfence`: the fence suggested for it, if any."""

    key: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
    version: Annotated[int, msgspec.Meta(ge=1)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    publisher: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    os: Literal["windows", "macos", "linux"]
    category: Category
    description: _Text
    source: Annotated[list[SourceEntry], msgspec.Meta(min_length=1)]
    rules: Annotated[list[RuleEntry], msgspec.Meta(min_length=1)]
    risk: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    ringfence: dict[str, Any] | None = None

    @property
    def columns(self) -> dict[str, object]:
        """The columns of its application row."""
        return {
            "os": self.os,
            "name": self.name,
            "publisher": self.publisher,
            "description": self.description,
            "category": self.category,
            "risk": self.risk,
            "suggested_ringfence": self.ringfence,
            "source": "\n".join(map(str, self.source)),
            "catalogue_version": self.version,
            "hidden": False,
        }


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load changed, by catalogue key."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    unchanged: int = 0


def read_catalogue(folder: Path = FOLDER) -> list[Entry]:
    """Every file of the catalogue, by key. Raises CatalogueError for the first one that cannot be used."""
    entries = [_read(path) for path in sorted(folder.glob("*.json"))]
    for attribute in ("key", "name"):
        values = [getattr(entry, attribute).casefold() for entry in entries]
        twins = {value for value in values if values.count(value) > 1}
        if twins:
            raise CatalogueError(f"Two files have the {attribute} {', '.join(sorted(twins))}.")
    return entries


def _read(path: Path) -> Entry:
    try:
        entry = msgspec.json.decode(path.read_bytes(), type=Entry)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{path.name}: {error}") from error
    if entry.key != path.stem:
        raise CatalogueError(f"{path.name}: the key {entry.key} must be the file's name.")
    if len({rule.conditions for rule in entry.rules}) != len(entry.rules):
        raise CatalogueError(f"{path.name}: two rules say the same.")
    if entry.ringfence is not None:
        for pointer, fault in ringfence.faults(entry.ringfence):
            raise CatalogueError(f"{path.name}: ringfence{pointer}: {fault}")
    for number, rule in enumerate(entry.rules, start=1):
        try:
            check_rule(EngineRule(str(number), *rule.conditions), entry.os)
        except RuleError as error:
            raise CatalogueError(f"{path.name}: rule {number}, {error.field}: {error.message}") from error
    return entry


@transaction.atomic
def load_catalogue(reach: Reach, entries: list[Entry] | None = None) -> Loaded:
    """Make the built-in applications equal to the files. Needs the system's reach. Repeating it changes nothing.

    An application whose file is gone is hidden, never deleted: policies may name it. Organizations whose bundles
    change get a pending change. Raises CatalogueError.
    """
    entries = read_catalogue() if entries is None else entries
    existing = {a.catalogue_key: a for a in Application.objects.within(reach).filter(kind=Kind.BUILTIN)}
    created, updated = [], []
    for entry in entries:
        row = existing.pop(entry.key, None)
        if row is None:
            row = Application(kind=Kind.BUILTIN, catalogue_key=entry.key, **entry.columns)
            row.save(force_insert=True)
            created.append(entry.key)
        elif _differs(row, entry) | _rules_differ(reach, row, entry):
            for name, value in entry.columns.items():
                setattr(row, name, value)
            row.save()
            updated.append(entry.key)
        else:
            continue
        _set_rules(reach, row, entry)
        summary = f"{row.name} follows the catalogue, version {entry.version}"
        catalogue.count_application_change(reach, row, verb="catalogue.updated", summary=summary)
    retired = [key or "" for key, row in existing.items() if not row.hidden]
    Application.objects.within(reach).filter(catalogue_key__in=retired).update(hidden=True)
    loaded = Loaded(tuple(created), tuple(updated), tuple(retired), len(entries) - len(created) - len(updated))
    _tell(reach, loaded)
    return loaded


def _differs(row: Application, entry: Entry) -> bool:
    return any(getattr(row, name) != value for name, value in entry.columns.items())


def _rules_differ(reach: Reach, row: Application, entry: Entry) -> bool:
    there = [(*(getattr(r, name) for name in RULE_FIELDS), r.note) for r in queries.rules_of(reach, row.id)]
    return there != [(*rule.conditions, rule.note) for rule in entry.rules]


def _set_rules(reach: Reach, row: Application, entry: Entry) -> None:
    """Rules that stay keep their rows, so that what the audit names by id goes on existing."""
    there = {tuple(getattr(r, name) for name in RULE_FIELDS): r for r in queries.rules_of(reach, row.id)}
    wanted = {rule.conditions for rule in entry.rules}
    FileRule.objects.within(reach).filter(
        id__in=[rule.id for conditions, rule in there.items() if conditions not in wanted]
    ).delete()
    kept = [rule for conditions, rule in there.items() if conditions in wanted]
    for offset, rule in enumerate(kept):  # out of the way of the positions they will have
        rule.position = 1_000_000 + offset
        rule.save(update_fields=["position"])
    for position, rule_entry in enumerate(entry.rules, start=1):
        rule = there.get(rule_entry.conditions) or FileRule(application=row)
        for name, value in zip(RULE_FIELDS, rule_entry.conditions, strict=True):
            setattr(rule, name, value)
        rule.note, rule.position = rule_entry.note, position
        rule.save()


def _tell(reach: Reach, loaded: Loaded) -> None:
    """One entry in the System Audit of each organization at the top of a tree, when anything changed."""
    if not (loaded.created or loaded.updated or loaded.retired):
        return
    after = {"created": loaded.created, "updated": loaded.updated, "retired": loaded.retired}
    for top in Organization.objects.within(reach).filter(parent__isnull=True):
        journal.record(reach, "catalogue.loaded", top, organization_id=top.id, after=after)
        changes.touch(reach, top.id)
