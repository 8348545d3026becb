"""The System Audit: who did what in the portal. Written in the transaction of the change it tells about.

Each organization has a chain of its own: an entry's hash covers its content and the hash before it, so a changed,
missing or inserted entry is found by `verify`. The application's role can only insert and read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction

from portal.common import clock
from portal.tenants.models import Entry
from portal.tenants.reach import Reach

_GENESIS = bytes(32)
_CHAIN_LOCK = 0x706F7274  # class of the advisory lock that serialises one organization's chain


@transaction.atomic
def record(
    reach: Reach,
    verb: str,
    target: models.Model | None = None,
    *,
    organization_id: UUID,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **details: Any,
) -> Entry:
    """Append one entry. `verb` is past tense, `policy.created`. Locks the organization's chain until commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_CHAIN_LOCK, str(organization_id)])
    last = (
        Entry.rows.filter(organization_id=organization_id).order_by("-sequence").values_list("sequence", "hash").first()
    )
    sequence, previous = (last[0] + 1, bytes(last[1])) if last else (1, _GENESIS)
    entry = Entry(
        organization_id=organization_id,
        sequence=sequence,
        at=clock.now(),
        actor_kind=reach.actor.kind,
        actor_id=reach.actor.id,
        actor_name=reach.actor.name,
        address=reach.actor.address,
        verb=verb,
        target_type=target._meta.model_name or "" if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        target_name=str(target)[:300] if target is not None else "",
        before=_plain(before) if before is not None else None,
        after=_plain(after) if after is not None else None,
        details=_plain(details),
        previous_hash=previous,
    )
    entry.hash = _hash(entry)
    entry.save(force_insert=True)
    return entry


@dataclass(frozen=True, slots=True)
class Verification:
    """`first_bad` is the sequence of the first entry whose chain is broken, None when all `checked` hold."""

    checked: int
    first_bad: int | None
    head: str = ""


def verify(reach: Reach, organization_id: UUID) -> Verification:
    """Walk one organization's chain from its first entry. Reads every entry; sequential."""
    previous, checked = _GENESIS, 0
    entries = Entry.objects.within(reach).filter(organization_id=organization_id).order_by("sequence")
    for entry in entries.iterator(chunk_size=1000):
        expected = checked + 1
        whole = (
            entry.sequence == expected and bytes(entry.previous_hash) == previous and bytes(entry.hash) == _hash(entry)
        )
        if not whole:
            return Verification(checked, expected)
        previous, checked = bytes(entry.hash), expected
    return Verification(checked, None, previous.hex() if checked else "")


def _plain(values: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(values), cls=DjangoJSONEncoder))


def _hash(entry: Entry) -> bytes:
    at: datetime = entry.at.astimezone(UTC)
    content = [
        str(entry.id),
        str(entry.organization_id),
        entry.sequence,
        at.isoformat(timespec="microseconds"),
        entry.actor_kind,
        entry.actor_id,
        entry.actor_name,
        entry.address,
        entry.verb,
        entry.target_type,
        entry.target_id,
        entry.target_name,
        entry.before,
        entry.after,
        entry.details,
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(bytes(entry.previous_hash) + text.encode()).digest()
