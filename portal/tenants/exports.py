"""The System Audit as rows for a spreadsheet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from portal.common.paging import keyset
from portal.tenants import journal, queries
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching
from portal.tenants.searches import entries_matching

ENTRY_COLUMNS = (
    "at", "organization", "sequence", "actor_kind", "actor_name", "actor", "address", "verb", "target_type",
    "target_name", "target", "before", "after", "details", "hash",
)  # fmt: skip
_CHUNK = 500


def entry_lines(reach: Reach, asked: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Every entry that the filters leave, newest first, in the order of ENTRY_COLUMNS.

    Runs while the answer is sent, when the request's own transaction is over: it opens its own. Reads 500 entries
    at a time. The export is told to each organization in it, before the first line.
    """
    with reaching(reach):
        names = {o.id: o.name for o in queries.organizations(reach)}
        for organization_id in _told_to(reach, asked):
            journal.record(reach, "journal.exported", organization_id=organization_id, filters=asked)
        after = ""
        while True:
            page = keyset(entries_matching(reach, **asked), order=("-at", "-id"), after=after, size=_CHUNK)
            yield from (_row(entry, names) for entry in page.rows)
            after = page.next
            if not after:
                return


def _told_to(reach: Reach, asked: dict[str, Any]) -> list[Any]:
    """The organization that was asked for, else the topmost ones in reach: one entry, not one a customer."""
    if asked.get("organization"):
        return [queries.organization(reach, asked["organization"]).id]
    readable = reach.with_capability(Capability.JOURNAL_READ)
    return [o.id for o in queries.organizations(reach) if o.id in readable and o.parent_id not in readable]


def _row(entry: Any, names: dict[Any, str]) -> tuple[Any, ...]:
    return (
        entry.at, names.get(entry.organization_id, ""), entry.sequence, entry.actor_kind, entry.actor_name,
        entry.actor_id, entry.address, entry.verb, entry.target_type, entry.target_name, entry.target_id,
        _json(entry.before), _json(entry.after), _json(entry.details), bytes(entry.hash).hex(),
    )  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""
