"""What an entry of the built-in catalogue is, and its files in this repository.

A fact that is not publicly known is not in a file: where a signer's full subject is uncertain, a rule goes by a
protected path and says so in its note. RMM agents are covered as programs, never with the scripts they send.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from policies import ringfence
from policies.engine.rules import RULE_FIELDS, RuleError, check_rule
from policies.engine.rules import FileRule as EngineRule
from policies.models import Category

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


def read_catalogue(folder: Path = FOLDER) -> list[Entry]:
    """Every file of the catalogue, by key. Raises CatalogueError for the first one that cannot be used."""
    entries = [_read(path) for path in sorted(folder.glob("*.json"))]
    check_entries(entries)
    return entries


def check_entries(entries: Sequence[Entry]) -> None:
    """Raise CatalogueError for an entry that cannot be used, or for two with one key or name."""
    for attribute in ("key", "name"):
        values = [getattr(entry, attribute).casefold() for entry in entries]
        twins = {value for value, count in Counter(values).items() if count > 1}
        if twins:
            raise CatalogueError(f"Two entries have the {attribute} {', '.join(sorted(twins))}.")
    for entry in entries:
        _check(entry)


def _read(path: Path) -> Entry:
    try:
        entry = msgspec.json.decode(path.read_bytes(), type=Entry)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(f"{path.name}: {error}") from error
    if entry.key != path.stem:
        raise CatalogueError(f"{path.name}: the key {entry.key} must be the file's name.")
    return entry


def _check(entry: Entry) -> None:
    where = f"{entry.key}.json"
    if len({rule.conditions for rule in entry.rules}) != len(entry.rules):
        raise CatalogueError(f"{where}: two rules say the same.")
    if entry.ringfence is not None:
        for pointer, fault in ringfence.faults(entry.ringfence):
            raise CatalogueError(f"{where}: ringfence{pointer}: {fault}")
    for number, rule in enumerate(entry.rules, start=1):
        try:
            check_rule(EngineRule(str(number), *rule.conditions), entry.os)
        except RuleError as error:
            raise CatalogueError(f"{where}: rule {number}, {error.field}: {error.message}") from error
