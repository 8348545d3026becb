"""Ingestion: one batch of one computer becomes events, in one transaction, exactly once.

Order: read every entry (a bad one is refused alone) → ledger row → new dictionary rows → COPY. The ledger decides
whether the batch is new. Rows go through a temporary table, because PostgreSQL refuses COPY into a table behind
row-level security; so the wall also checks every row that is written.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakSet

import msgspec
import structlog
from django.conf import settings
from django.db import connection, transaction
from msgspec import Raw

from agents.protocol.messages import (
    JSON,
    MAX_EVENT_BYTES,
    MSGPACK,
    Event,
    EventBatch,
    EventDecision,
    EventsAnswer,
    RawEventBatch,
    RejectedEvent,
    media_type,
)
from audit import dictionaries, partitions
from audit.decided_names import names_of
from audit.dictionaries import Fresh
from audit.stored_text import stored
from audit.words import ACTION_TYPES, MODES, ActionType, Flag, Outcome, outcome_of
from portal.common import clock
from portal.common.errors import Conflict
from portal.tenants.models import Computer
from portal.tenants.reach import Reach

log = structlog.get_logger(__name__)

FUTURE = timedelta(minutes=5)
_RAW_KEPT_BYTES = 2_048
COLUMNS = (
    ("received_at", "timestamptz"), ("id", "int8"), ("occurred_at", "timestamptz"), ("sequence", "int8"),
    ("file_id", "int8"), ("process_id", "int8"), ("created_by_id", "int8"), ("decision_id", "int8"),
    ("user_id", "int8"), ("size", "int8"), ("bundle_version", "int8"), ("organization_number", "int4"),
    ("computer_number", "int4"), ("group_number", "int4"), ("outcome", "int2"), ("action_type", "int2"),
    ("mode", "int2"), ("flags", "int2"), ("command_line", "text"),
)  # fmt: skip
_NAMES = ", ".join(name for name, _ in COLUMNS)
_TYPES = [kind for _, kind in COLUMNS]
Row = tuple[object, ...]
# Plain numbers: an enumeration's members cost more than the rest of a row.
_ACTION_TYPES = {word: int(kind) for word, kind in ACTION_TYPES.items()}
_MODES = {word: int(mode) for word, mode in MODES.items()}
_OTHER, _GAP, _PERMITTED = int(ActionType.OTHER), int(Outcome.GAP), int(Outcome.PERMITTED)
_LEARNED, _HIDDEN_CHARACTERS, _WRONG_CLOCK = int(Flag.LEARNED), int(Flag.HIDDEN_CHARACTERS), int(Flag.WRONG_CLOCK)
_prepared: WeakSet[Any] = WeakSet()  # database connections whose session has the temporary table, committed
_DECODERS: dict[str, Any] = {JSON: msgspec.json.Decoder(Event), MSGPACK: msgspec.msgpack.Decoder(Event)}


@dataclass(frozen=True, slots=True)
class _Rejected:
    index: int
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a batch comes from and when it arrived: all of a row that no endpoint may choose."""

    organization: int
    computer: int
    group: int
    received_at: datetime
    low: datetime  # the endpoint's time is clamped to what can be: no older than is kept,
    high: datetime  # and at most five minutes ahead
    low_ms: int
    high_ms: int

    @classmethod
    def of(cls, computer: Computer, received_at: datetime) -> _Source:
        low = received_at - timedelta(days=settings.AUDIT_RETENTION_DAYS)
        high = received_at + FUTURE
        return cls(
            computer.organization.number, computer.number, computer.group.number, received_at, low, high,
            clock.to_ms(low), clock.to_ms(high),
        )  # fmt: skip


@transaction.atomic
def ingest_batch(
    reach: Reach,
    *,
    computer: Computer,
    batch: RawEventBatch | EventBatch,
    digest: str,
    content_type: str = MSGPACK,
    received_at: datetime | None = None,
) -> EventsAnswer:
    """Store one batch of `computer` once; sending it again changes nothing and is answered alike.

    `digest`: hex SHA-256 of the bytes that were sent. Tenant, group and computer of every row come from `computer`
    (have its organization and group loaded), never from the batch. Entries that are no events are answered as
    rejected and kept raw; the batch itself is still accepted. `received_at` is for demo data only.
    Raises Conflict when this batch number was sent before with other bytes. Needs an open `reaching(reach)`.
    """
    source = _Source.of(computer, received_at or clock.now())
    events, rejected = _read(batch, content_type)
    sequences = [event.sequence for _, event in events]
    last = max([*sequences, batch.first_sequence])
    number, earlier = _enter(source, batch, digest, accepted=len(events), rejected=rejected, last=last)
    if earlier is not None:
        return earlier
    fresh = Fresh()
    rows = [_row(source, number << 16 | index, event, fresh) for index, event in events]
    dictionaries.write(fresh, day=source.received_at.date(), names=lambda keys: names_of(reach, keys))
    if rows:
        _copy(number, rows)
    if rejected:
        _keep_rejected(source, number, rejected)
    return EventsAnswer(
        batch=batch.batch,
        accepted=len(rows),
        duplicate=0,
        rejected=tuple(RejectedEvent(index=r.index, reason=r.reason) for r in rejected),
        acknowledged_sequence=last,
    )


def _read(batch: RawEventBatch | EventBatch, content_type: str) -> tuple[list[tuple[int, Event]], list[_Rejected]]:
    """The batch's good entries with their index, and its bad ones."""
    decode = _DECODERS[media_type(content_type)].decode
    events: list[tuple[int, Event]] = []
    rejected: list[_Rejected] = []
    entries: tuple[Event | Raw, ...] = batch.events
    for index, entry in enumerate(entries):
        raw = b"" if isinstance(entry, Event) else bytes(entry)
        try:
            event = entry if isinstance(entry, Event) else decode(raw)
            reason = _fault(event, len(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            reason = str(error)[:300]
        if reason:
            rejected.append(_Rejected(index, reason, raw[:_RAW_KEPT_BYTES]))
        else:
            events.append((index, event))
    return events, rejected


def _fault(event: Event, size: int) -> str:
    """Why a well-formed entry of `size` bytes still is no event; empty when it is one."""
    if size > MAX_EVENT_BYTES:
        return f"event over {MAX_EVENT_BYTES} bytes"
    is_gap = event.action_type == "gap"
    if is_gap != (event.gap is not None):
        return "a gap event has action_type gap and its counts, no other event has"
    if not is_gap and event.decision is None:
        return "an event needs its decision"
    return ""


def _enter(
    source: _Source,
    batch: RawEventBatch | EventBatch,
    digest: str,
    *,
    accepted: int,
    rejected: Sequence[_Rejected],
    last: int,
) -> tuple[int, EventsAnswer | None]:
    """Write the ledger row: (its number, None), or (its number, the earlier answer) when it stood there already.

    Two uploads of one batch at once wait here for each other.
    """
    partition = partitions.event_partition(source.received_at)
    reasons = [[r.index, r.reason] for r in rejected]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_batch (computer_number, boot_id, batch, organization_number, sha256, accepted, rejected,"
            " first_sequence, last_sequence, received_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (computer_number, boot_id, batch) DO NOTHING RETURNING number, to_regclass(%s) IS NOT NULL",
            [
                source.computer, stored(batch.boot_id), batch.batch, source.organization, bytes.fromhex(digest),
                accepted, json.dumps(reasons), batch.first_sequence, last, source.received_at, partition,
            ],
        )  # fmt: skip
        entered = cursor.fetchone()
    if entered is None:
        return 0, _earlier_answer(source, batch, digest)
    number, has_partition = entered
    if not has_partition:
        partitions.ensure(source.received_at.date(), days=1)
    return number, None


def _earlier_answer(source: _Source, batch: RawEventBatch | EventBatch, digest: str) -> EventsAnswer:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT encode(sha256, 'hex'), accepted, rejected, last_sequence FROM audit_batch"
            " WHERE computer_number = %s AND boot_id = %s AND batch = %s",
            [source.computer, stored(batch.boot_id), batch.batch],
        )
        found = cursor.fetchone()
    if found is None or found[0] != digest:
        log.warning("audit.batch_number_reused", computer=source.computer, batch=batch.batch)
        raise Conflict(f"Batch {batch.batch} was received before with other content.")
    reasons = json.loads(found[2]) if isinstance(found[2], str) else found[2]
    return EventsAnswer(
        batch=batch.batch,
        accepted=0,
        duplicate=found[1],
        rejected=tuple(RejectedEvent(index=index, reason=reason) for index, reason in reasons),
        acknowledged_sequence=found[3],
    )


def _row(source: _Source, number: int, event: Event, fresh: Fresh) -> Row:
    """One event as a row, in the order of COLUMNS."""
    decision = event.decision
    file = fresh.file(event.sha256, event.path, event.certificate)
    process, created_by = fresh.path(event.process), fresh.path(event.created_by)
    user = fresh.user(source.organization, source.computer, event.user)
    flags = 0
    if source.low_ms <= event.occurred_at_ms <= source.high_ms:
        occurred_at = clock.from_ms(event.occurred_at_ms)
    else:
        occurred_at = source.low if event.occurred_at_ms < source.low_ms else source.high
        flags = _WRONG_CLOCK
    if file.has_hidden or process.has_hidden or created_by.has_hidden or user.has_hidden:
        flags |= _HIDDEN_CHARACTERS
    if decision is not None and decision.learned:
        flags |= _LEARNED
    return (
        source.received_at,
        number,
        occurred_at,
        event.sequence,
        file.id,
        process.id,
        created_by.id,
        fresh.decision(source.organization, decision).id if decision is not None else 0,
        user.id,
        event.size,
        event.bundle_version,
        source.organization,
        source.computer,
        source.group,
        _outcome(decision) if decision is not None else _GAP,
        _ACTION_TYPES.get(event.action_type, _OTHER),
        _MODES[event.mode],
        flags,
        _gap_text(event) if event.gap is not None else stored(event.command_line),
    )


def _outcome(decision: EventDecision) -> int:
    """The common one without asking twice."""
    if decision.effect == "permitted" and decision.action == "permit" and not decision.simulated:
        return _PERMITTED
    return int(outcome_of(decision))


def _gap_text(event: Event) -> str:
    """A gap's counts, kept where other events keep their command line."""
    gap = event.gap
    return json.dumps(
        {"dropped_permits": gap.dropped_permits, "dropped_denies": gap.dropped_denies} if gap is not None else {}
    )


def _copy(number: int, rows: Iterable[Row]) -> None:
    """Binary COPY into a table of this session, and from there, past the wall's check, into the events.

    The table empties itself at commit; batches before this one in the same transaction may still lie in it.
    """
    link = connection.connection
    with connection.cursor() as cursor:
        if link not in _prepared:
            cursor.execute(
                "CREATE TEMPORARY TABLE IF NOT EXISTS audit_incoming (LIKE audit_event) ON COMMIT DELETE ROWS"
            )
            transaction.on_commit(functools.partial(_prepared.add, link))
        with cursor.copy(f"COPY pg_temp.audit_incoming ({_NAMES}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            f"INSERT INTO audit_event ({_NAMES}) SELECT {_NAMES} FROM pg_temp.audit_incoming WHERE id >> 16 = %s",  # noqa: S608
            [number],
        )


def _keep_rejected(source: _Source, number: int, rejected: Sequence[_Rejected]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO audit_rejected (batch_number, index, organization_number, computer_number, received_at,"
            " reason, raw) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (number, r.index, source.organization, source.computer, source.received_at, stored(r.reason), r.raw)
                for r in rejected
            ],
        )
