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
from typing import Any, Generic, TypeVar

import structlog
from django.db import connection, transaction

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


@dataclass(frozen=True, slots=True)
class File:
    """What identifies a file row: lower-case hex SHA-256 or empty, stored path, certificate subject or empty."""

    sha256: str
    path: str
    certificate: str


@dataclass(frozen=True, slots=True)
class User:
    organization_number: int
    computer_number: int
    name: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What decided. Names of policy and application are looked up when the row is first written."""

    organization_number: int
    action: int
    policy: str
    application: str
    rule: str
    reason_code: str


class Known(Generic[K]):
    """Keys whose dictionary row is committed, with their ids. Emptied daily: retention goes by the day last seen."""

    def __init__(self, identify: Callable[[K], int]) -> None:
        self._identify = identify
        self._ids: dict[K, int] = {}
        self._day: date | None = None
        self._lock = threading.Lock()

    def clear(self) -> None:
        with self._lock:
            self._ids.clear()

    def id_of(self, key: K, fresh: dict[K, int]) -> int:
        """The id of `key`; one not known yet is added to `fresh`."""
        found = self._ids.get(key)
        if found is None:
            found = fresh.get(key)
            if found is None:
                found = fresh[key] = self._identify(key)
        return found

    def remember(self, fresh: dict[K, int], day: date) -> None:
        with self._lock:
            if self._day != day or len(self._ids) > _CACHED_KEYS:
                self._ids = {}
                self._day = day
            self._ids.update(fresh)


files: Known[File] = Known(lambda f: keyed_id(b"file", f.sha256, f.path, f.certificate))
paths: Known[str] = Known(lambda path: keyed_id(b"path", path))
users: Known[User] = Known(lambda u: keyed_id(b"user", str(u.organization_number), str(u.computer_number), u.name))
decisions: Known[Decided] = Known(
    lambda d: keyed_id(
        b"decision", str(d.organization_number), str(d.action), d.policy, d.application, d.rule, d.reason_code
    )
)


def forget_all() -> None:
    """Empty this process's memory (after a restore, between tests)."""
    for known in (files, paths, users, decisions):
        known.clear()


@dataclass(slots=True)
class Fresh:
    """Dictionary keys of one batch that this process has not seen committed yet."""

    files: dict[File, int] = field(default_factory=dict)
    paths: dict[str, int] = field(default_factory=dict)
    users: dict[User, int] = field(default_factory=dict)
    decisions: dict[Decided, int] = field(default_factory=dict)

    def file(self, key: File) -> int:
        return files.id_of(key, self.files) if key.path or key.sha256 else 0

    def path(self, path: str) -> int:
        return paths.id_of(path, self.paths) if path else 0

    def user(self, key: User) -> int:
        return users.id_of(key, self.users) if key.name else 0

    def decision(self, key: Decided) -> int:
        return decisions.id_of(key, self.decisions)


def write(fresh: Fresh, *, day: date, names: Callable[[Sequence[Decided]], dict[str, str]]) -> None:
    """Store what is new, in the open transaction; rows sorted by id, so that two writers cannot deadlock.

    `names` gives the present names of the policies and applications (by id) of new decisions. Raises Conflict on a
    hash collision, which is logged: two different contents never share a row.
    """
    if fresh.files:
        _learn_files(fresh.files, day)
    if fresh.paths:
        texts, ids = list(fresh.paths), list(fresh.paths.values())
        _learn("SELECT audit_learn_paths(%s::bigint[], %s::text[], %s)", [ids, texts, day])
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


def _learn_files(fresh: dict[File, int], day: date) -> None:
    keys = list(fresh)
    _learn(
        "SELECT audit_learn_files(%s::bigint[], %s::bytea[], %s::text[], %s::text[], %s)",
        [
            list(fresh.values()),
            [bytes.fromhex(key.sha256) for key in keys],
            [key.path for key in keys],
            [key.certificate for key in keys],
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


def _write_users(fresh: dict[User, int], day: date) -> None:
    rows = sorted((number, u.organization_number, u.computer_number, u.name, day) for u, number in fresh.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_user (id, organization_number, computer_number, name, last_seen)"
            " SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::text[], %s::date[]) ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _write_decisions(fresh: dict[Decided, int], day: date, names: dict[str, str]) -> None:
    rows = sorted(
        (
            number, d.organization_number, d.action, d.policy, names.get(d.policy, ""), d.application,
            names.get(d.application, ""), d.rule, d.reason_code, day,
        )
        for d, number in fresh.items()
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_decision (id, organization_number, action, policy, policy_name, application,"
            " application_name, rule, reason_code, last_seen)"
            " SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[],"
            " %s::text[], %s::text[], %s::date[]) ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*rows, strict=True)],
        )
