"""Makes the built-in applications of the database equal to a catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from policies import catalogue, changes, queries
from policies.builtin.differences import Difference, differences
from policies.builtin.schema import Entry, read_catalogue
from policies.engine.rules import RULE_FIELDS
from policies.models import Application, FileRule, Kind
from portal.tenants import journal
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load changed, by catalogue key."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    unchanged: int = 0


@transaction.atomic
def load_catalogue(reach: Reach, entries: Sequence[Entry] | None = None) -> Loaded:
    """Make the built-in applications equal to `entries`, or to the files. Needs the system's reach. Repeating it
    changes nothing.

    An application that is gone from the catalogue is hidden, never deleted: policies may name it. Organizations whose
    bundles change get a pending change. Raises CatalogueError.
    """
    entries = read_catalogue() if entries is None else entries
    found = differences(reach, entries)
    for one in found:
        if one.entry is not None:
            _apply(reach, one, one.entry)
    by_kind = {kind: tuple(one.key for one in found if one.kind == kind) for kind in ("new", "changed", "retired")}
    Application.objects.within(reach).filter(catalogue_key__in=by_kind["retired"]).update(hidden=True)
    unchanged = len(entries) - len(by_kind["new"]) - len(by_kind["changed"])
    loaded = Loaded(by_kind["new"], by_kind["changed"], by_kind["retired"], unchanged)
    _tell(reach, loaded)
    return loaded


def _apply(reach: Reach, one: Difference, entry: Entry) -> None:
    if one.application is None:
        row = Application(kind=Kind.BUILTIN, catalogue_key=entry.key, **entry.columns)
        row.save(force_insert=True)
        FileRule.objects.within(reach).bulk_create(
            FileRule(application=row, position=position, note=rule.note, **_boxes(rule.conditions))
            for position, rule in enumerate(entry.rules, start=1)
        )
        return
    row = queries.application(reach, one.application)
    for name, value in entry.columns.items():
        setattr(row, name, value)
    row.save()
    _set_rules(reach, row, entry)
    summary = f"{row.name} follows the catalogue, version {entry.version}"
    catalogue.count_application_change(reach, row, verb="catalogue.updated", summary=summary)


def _boxes(conditions: Sequence[str]) -> dict[str, str]:
    return dict(zip(RULE_FIELDS, conditions, strict=True))


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
        for name, value in _boxes(rule_entry.conditions).items():
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
