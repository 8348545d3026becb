"""The spool: events not yet delivered, in SQLite, bounded. Oldest permits are dropped first, denials last,
and counted.

The worker appends, the syncer takes immutable batches out and deletes only what an answer acknowledged.
Sequences only rise. One object per thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agents.protocol import compression, messages
from agents.protocol.messages import Event, EventBatch, EventsAnswer, Gap

MAX_ROWS = 200_000
PERMIT, DENY, GAP = 0, 1, 2
_MAX_RAW_BYTES = 4 << 20
_MAX_SENT_BYTES = 900 << 10
_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, boot_id TEXT NOT NULL, kind INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS event_kind ON event (kind, sequence);
CREATE TABLE IF NOT EXISTS batch (
    number INTEGER PRIMARY KEY, first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS creator (handle BLOB PRIMARY KEY, exe TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
"""


def prepare(path: Path, *, is_enrolled: bool) -> None:
    """Have a usable spool at `path` before anybody opens it.

    A damaged one is put aside. Where numbers have been used that a new file cannot know, it goes on far above all of
    them: a number used twice would make the portal take a new event for an old one.
    """
    is_new = not path.exists()
    if not is_new and not _is_sound(path):
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.replace(part.with_name(part.name + ".damaged"))
        is_new = True
    spool = Spool(path)
    if is_new and is_enrolled:
        spool.start_numbers_at(int(time.time() * 1_000_000))
    spool.close()


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


class CreatorMirror:
    """Asks the spool who wrote a file; a spool that cannot be read knows nobody."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spool: Spool | None = None

    def __call__(self, handle: bytes) -> str:
        try:
            self._spool = self._spool or Spool(self._path)
            return self._spool.creator(handle)
        except sqlite3.Error:
            return ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event on its way into the spool; its sequence is given there."""

    event: Event
    kind: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it must be sent: always these bytes under this number. `body` is MessagePack in zstd."""

    number: int
    first_sequence: int
    last_sequence: int
    body: bytes


class Spool:
    """One connection to the spool. Raises sqlite3.OperationalError when the disk is full."""

    def __init__(self, path: Path, *, max_rows: int = MAX_ROWS, shared: bool = False) -> None:
        """`shared`: several threads use it, and take turns by a lock of their own."""
        self._max_rows = max_rows
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=not shared)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA journal_size_limit=8388608")
        # The syncer may write nowhere but beside the spool.
        self._db.execute("PRAGMA temp_store=MEMORY")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def append(self, boot_id: str, recorded: Iterable[Recorded]) -> None:
        """Add events in one transaction, dropping the oldest ones when there are too many."""
        encode = msgspec.msgpack.encode
        rows = [(boot_id, one.kind, encode(one.event)) for one in recorded]
        with self._transaction():
            self._db.executemany("INSERT INTO event (boot_id, kind, body) VALUES (?, ?, ?)", rows)
            excess = self.depth() - self._max_rows
            if excess > 0:
                self._drop(excess)

    def lose(self, permits: int, denies: int) -> None:
        """Count events that never got here, so that the next gap event tells of them."""
        with self._transaction():
            self._add("dropped_permits", permits)
            self._add("dropped_denies", denies)

    def depth(self) -> int:
        """How many events wait."""
        return int(self._db.execute("SELECT count(*) FROM event").fetchone()[0])

    def is_empty(self) -> bool:
        """Whether nothing waits, gaps included."""
        waiting = (
            "SELECT EXISTS (SELECT 1 FROM event) OR EXISTS (SELECT 1 FROM number WHERE name LIKE 'dropped%' AND value)"
        )
        return not self._db.execute(waiting).fetchone()[0]

    def next_batch(self, boot_id: str, now_ms: int, *, limit: int = messages.MAX_EVENTS) -> Batch | None:
        """The batch in flight, else a new one of at most `limit` events of one boot, made durable before it
        is sent.
        """
        row = self._db.execute(
            "SELECT number, first_sequence, last_sequence, body FROM batch ORDER BY number LIMIT 1"
        ).fetchone()
        if row:
            return Batch(*row)
        with self._transaction():
            self._tell_gap(boot_id, now_ms)
            taken = self._oldest(limit)
            return self._make_batch(*taken) if taken else None

    def settle(self, batch: Batch, answer: EventsAnswer) -> int:
        """Delete what the answer acknowledges, never more than was sent. Returns how many events went."""
        if answer.batch != batch.number:
            return 0
        upto = min(answer.acknowledged_sequence, batch.last_sequence)
        with self._transaction():
            self._db.execute("DELETE FROM batch WHERE number = ?", (batch.number,))
            return self._db.execute("DELETE FROM event WHERE sequence <= ?", (upto,)).rowcount

    def give_up(self, batch: Batch) -> None:
        """The portal stored nothing of it and never will under this number: its events go into other batches."""
        with self._transaction():
            self._db.execute("DELETE FROM batch WHERE number = ?", (batch.number,))

    def skip_numbers(self, count: int) -> None:
        """Leave batch numbers out: somebody (a restored copy of this computer) has used them for other
        events.
        """
        with self._transaction():
            self._add("batch", count)

    def discard(self, batch: Batch) -> None:
        """Drop the events of a batch nobody can take, and count them."""
        span = (batch.first_sequence, batch.last_sequence)
        with self._transaction():
            self._db.execute("DELETE FROM batch WHERE number = ?", (batch.number,))
            for kind, name in ((PERMIT, "dropped_permits"), (DENY, "dropped_denies")):
                where = "DELETE FROM event WHERE sequence BETWEEN ? AND ? AND kind = ?"
                self._add(name, self._db.execute(where, (*span, kind)).rowcount)
            self._db.execute("DELETE FROM event WHERE sequence BETWEEN ? AND ?", span)

    def reserve_requests(self, count: int = 1_000) -> int:
        """The first of `count` request sequence numbers nobody has used, durable before it is returned."""
        self._db.execute("PRAGMA synchronous=FULL")
        with self._transaction():
            first = self._add("request", count)
        self._db.execute("PRAGMA synchronous=NORMAL")
        return first - count + 1

    def start_numbers_at(self, number: int) -> None:
        """Have every number this spool gives be above `number`."""
        with self._transaction():
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = 'event'")
            self._db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('event', ?)", (number,))
            for name in ("batch", "request"):
                self._add(name, number)

    def remember_creators(self, creators: Iterable[tuple[bytes, str, int]]) -> None:
        """Mirror who wrote which file: (file handle, path of the program, unix seconds)."""
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO creator (handle, exe, at) VALUES (?, ?, ?)", creators)

    def creator(self, handle: bytes) -> str:
        """Path of the program that wrote the file with this handle; empty when unknown."""
        row = self._db.execute("SELECT exe FROM creator WHERE handle = ?", (handle,)).fetchone()
        return str(row[0]) if row else ""

    def _drop(self, excess: int) -> None:
        in_flight = self._db.execute("SELECT coalesce(max(last_sequence), 0) FROM batch").fetchone()[0]
        statement = (
            "DELETE FROM event WHERE sequence IN"
            " (SELECT sequence FROM event WHERE kind = ? AND sequence > ? ORDER BY sequence LIMIT ?)"
        )
        for kind, name in ((PERMIT, "dropped_permits"), (DENY, "dropped_denies")):
            gone = self._db.execute(statement, (kind, in_flight, excess)).rowcount
            self._add(name, gone)
            excess -= gone
            if excess <= 0:
                return

    def _tell_gap(self, boot_id: str, now_ms: int) -> None:
        numbers = dict(self._db.execute("SELECT name, value FROM number WHERE name LIKE 'dropped%'"))
        permits, denies = numbers.get("dropped_permits", 0), numbers.get("dropped_denies", 0)
        if not permits and not denies:
            return
        gap = Gap(dropped_permits=permits, dropped_denies=denies)
        body = msgspec.msgpack.encode(Event(sequence=0, occurred_at_ms=now_ms, action_type="gap", gap=gap))
        self._db.execute("INSERT INTO event (boot_id, kind, body) VALUES (?, ?, ?)", (boot_id, GAP, body))
        self._db.execute("UPDATE number SET value = 0 WHERE name LIKE 'dropped%'")

    def _oldest(self, limit: int) -> tuple[str, list[Event]] | None:
        """Boot and events of the next batch: one boot, at most `limit` events and 4 MB."""
        rows = self._db.execute("SELECT sequence, boot_id, body FROM event ORDER BY sequence LIMIT ?", (limit,))
        boot, size = "", 0
        events: list[Event] = []
        for sequence, boot_id, body in rows:
            size += len(body)
            if events and (boot_id != boot or size > _MAX_RAW_BYTES):
                break
            boot = boot_id
            event = msgspec.msgpack.decode(body, type=Event)
            events.append(msgspec.structs.replace(event, sequence=sequence))
        return (boot, events) if events else None

    def _make_batch(self, boot_id: str, events: list[Event]) -> Batch:
        number = self._add("batch", 1)
        while True:
            first, last = events[0].sequence, events[-1].sequence
            message = EventBatch(boot_id=boot_id, batch=number, first_sequence=first, events=tuple(events))
            body = compression.deflate(messages.encode(message), "zstd")
            if len(body) <= _MAX_SENT_BYTES or len(events) == 1:
                break
            events = events[: len(events) // 2]
        self._db.execute("INSERT INTO batch VALUES (?, ?, ?, ?)", (number, first, last, body))
        return Batch(number, first, last, body)

    def _add(self, name: str, amount: int) -> int:
        statement = (
            "INSERT INTO number VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
            " RETURNING value"
        )
        return int(self._db.execute(statement, (name, amount)).fetchone()[0])

    def _transaction(self) -> _Immediate:
        return _Immediate(self._db)


class _Immediate:
    """BEGIN IMMEDIATE … COMMIT: guardian's children write the same file, and must not meet half way."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
