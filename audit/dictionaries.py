"""The dictionaries of the audit store: what repeats in events stands once, under a keyed 64-bit hash of its content.

The key is a secret of the installation: nobody can craft two files that share an id. Ids are known before anything is
written, so a retry writes the same ids again.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, NamedTuple, TypeVar

import structlog
from django.db import connection, transaction

from agents.protocol.messages import EventDecision
from audit.stored_text import has_hidden_characters, stored
from audit.words import Action
from portal.common.errors import Conflict

log = structlog.get_logger(__name__)
K = TypeVar("K", bound=Hashable)

_CACHED_KEYS = 100_000


@functools.cache
def install_key() -> bytes:
    """The secret that keys the hashes of this installation; made by the first migration, never changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM audit_install")
        return bytes(cursor.fetchone()[0])


def keyed_id(kind: bytes, *parts: str) -> int:
    """A positive 63-bit id of `parts`. `kind` keeps the dictionaries apart."""
    content = b"\x00".join(part.encode() for part in parts)
    digest = hashlib.blake2b(content, digest_size=8, key=install_key(), person=kind).digest()
    return int.from_bytes(digest, "big") >> 1 or 1


class File(NamedTuple):
    """What identifies a file: lower-case hex SHA-256 or empty, path, certificate subject or empty; as sent."""

    sha256: str
    path: str
    certificate: str


class User(NamedTuple):
    organization_number: int
    computer_number: int
    name: str


class Decided(NamedTuple):
    """What decided, in whose organization. Names of policy and application are looked up when it is first written."""

    organization_number: int
    decision: EventDecision


class Entry(NamedTuple):
    """The id of a dictionary row, and whether its text holds characters that do not show."""

    id: int
    has_hidden: bool = False


NONE = Entry(0)


class Known(Generic[K]):
    """Keys whose dictionary row is committed. Emptied daily: retention goes by the day last seen."""

    def __init__(self) -> None:
        self._entries: dict[K, Entry] = {}
        self._day: date | None = None
        self._lock = threading.Lock()
        self.get = self._entries.get

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def remember(self, fresh: dict[K, Entry], day: date) -> None:
        with self._lock:
            if self._day != day or len(self._entries) > _CACHED_KEYS:
                self._entries.clear()
                self._day = day
            self._entries.update(fresh)


files: Known[File] = Known()
paths: Known[str] = Known()
users: Known[User] = Known()
decisions: Known[Decided] = Known()


def forget_all() -> None:
    """Empty this process's memory (after a restore, between tests)."""
    for known in (files, paths, users, decisions):
        known.clear()


@dataclass(slots=True)
class Fresh:
    """Dictionary keys of one batch that this process has not seen committed yet."""

    files: dict[File, Entry] = field(default_factory=dict)
    paths: dict[str, Entry] = field(default_factory=dict)
    users: dict[User, Entry] = field(default_factory=dict)
    decisions: dict[Decided, Entry] = field(default_factory=dict)

    def file(self, sha256: str, path: str, certificate: str) -> Entry:
        if not path and not sha256:
            return NONE
        key = File(sha256, path, certificate)
        return files.get(key) or self.files.get(key) or self._new_file(key)

    def path(self, path: str) -> Entry:
        if not path:
            return NONE
        return paths.get(path) or self.paths.get(path) or self._new_path(path)

    def user(self, organization: int, computer: int, name: str) -> Entry:
        if not name:
            return NONE
        key = User(organization, computer, name)
        return users.get(key) or self.users.get(key) or self._new_user(key)

    def decision(self, organization: int, decision: EventDecision) -> Entry:
        key = Decided(organization, decision)
        return decisions.get(key) or self.decisions.get(key) or self._new_decision(key)

    def _new_file(self, key: File) -> Entry:
        number = keyed_id(b"file", key.sha256, stored(key.path), stored(key.certificate))
        self.files[key] = entry = Entry(
            number, has_hidden_characters(key.path) or has_hidden_characters(key.certificate)
        )
        return entry

    def _new_path(self, path: str) -> Entry:
        self.paths[path] = entry = Entry(keyed_id(b"path", stored(path)), has_hidden_characters(path))
        return entry

    def _new_user(self, key: User) -> Entry:
        number = keyed_id(b"user", str(key.organization_number), str(key.computer_number), stored(key.name))
        self.users[key] = entry = Entry(number, has_hidden_characters(key.name))
        return entry

    def _new_decision(self, key: Decided) -> Entry:
        made = key.decision
        texts = (made.action, made.policy, made.application, made.rule, made.reason_code)
        self.decisions[key] = entry = Entry(
            keyed_id(b"decision", str(key.organization_number), *(stored(text) for text in texts))
        )
        return entry


def write(fresh: Fresh, *, day: date, names: Callable[[Sequence[Decided]], dict[str, str]]) -> None:
    """Store what is new, in the open transaction; rows sorted by id, so that two writers cannot deadlock.

    `names` gives the present names of the policies and applications (by id) of new decisions. Raises Conflict on a
    hash collision, which is logged: two different contents never share a row.
    """
    if fresh.files:
        _learn_files(fresh.files, day)
    if fresh.paths:
        ids = [entry.id for entry in fresh.paths.values()]
        _learn("SELECT audit_learn_paths(%s::bigint[], %s::text[], %s)", [ids, list(map(stored, fresh.paths)), day])
    if fresh.users:
        _write_users(fresh.users, day)
    if fresh.decisions:
        _write_decisions(fresh.decisions, day, names(list(fresh.decisions)))
    if fresh.files or fresh.paths or fresh.users or fresh.decisions:
        transaction.on_commit(functools.partial(_remember, fresh, day))


def _remember(fresh: Fresh, day: date) -> None:
    files.remember(fresh.files, day)
    paths.remember(fresh.paths, day)
    users.remember(fresh.users, day)
    decisions.remember(fresh.decisions, day)


def _learn_files(fresh: dict[File, Entry], day: date) -> None:
    keys = list(fresh)
    _learn(
        "SELECT audit_learn_files(%s::bigint[], %s::bytea[], %s::text[], %s::text[], %s)",
        [
            [entry.id for entry in fresh.values()],
            [bytes.fromhex(key.sha256) for key in keys],
            [stored(key.path) for key in keys],
            [stored(key.certificate) for key in keys],
            day,
        ],
    )


def _learn(sql: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        collided = [row[0] for row in cursor.fetchall()]
    if collided:
        log.error("audit.dictionary_collision", ids=collided)
        raise Conflict("Two different files share an id of the audit store; the batch was not stored.")


def _write_users(fresh: dict[User, Entry], day: date) -> None:
    rows = sorted((e.id, u.organization_number, u.computer_number, stored(u.name), day) for u, e in fresh.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_user (id, organization_number, computer_number, name, last_seen)"
            " SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::text[], %s::date[]) ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _write_decisions(fresh: dict[Decided, Entry], day: date, names: dict[str, str]) -> None:
    rows = {}
    for (organization, made), entry in fresh.items():
        rows[entry.id] = (
            entry.id, organization, int(Action[made.action.upper()]), stored(made.policy), names.get(made.policy, ""),
            stored(made.application), names.get(made.application, ""), stored(made.rule), stored(made.reason_code), day,
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_decision (id, organization_number, action, policy, policy_name, application,"
            " application_name, rule, reason_code, last_seen)"
            " SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[],"
            " %s::text[], %s::text[], %s::date[]) ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*(rows[number] for number in sorted(rows)), strict=True)],
        )
