"""Whose request is it: the one place that believes a signature. The tenant comes only from the key."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from agents.models import ComputerKey
from agents.models.identity import KeyState
from agents.protocol import signing
from portal.common import clock
from portal.common.errors import PortalError
from portal.tenants.reach import Reach, agent_reach, system_reach
from portal.tenants.scoping import reaching

_NOBODY = bytes(32)


class Unauthenticated(PortalError):
    """Not signed as it must be. `code` tells the agent what to do; the edge adds the server's time."""

    status = 401
    title = "Not authenticated"

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Shut(PortalError):
    """Signed by a key that is known but may do nothing: `banned`, or `pending` (waits for a technician)."""

    status = 403
    title = "Not allowed"

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Caller:
    """The computer behind a verified request."""

    key_row: UUID
    key_id: str
    fingerprint: str
    sequence: int
    computer_id: UUID
    computer_name: str
    computer_number: int
    organization_id: UUID
    reach: Reach


@dataclass(frozen=True, slots=True)
class _Known:
    """A key as stored, and where its computer stands. `state` is empty for an unknown key."""

    row: UUID | None = None
    public_key: bytes = _NOBODY
    fingerprint: str = ""
    state: str = ""
    computer_id: UUID | None = None
    computer_name: str = ""
    computer_number: int = 0
    organization_id: UUID | None = None
    organization_number: int = 0
    ancestors: tuple[UUID, ...] = ()


_memory: dict[str, tuple[_Known, float]] = {}
_MOST_REMEMBERED = 20_000
_REMEMBER_SECONDS = 60.0


def authenticate(*, method: str, target: str, headers: Mapping[str, str], body: bytes, address: str = "") -> Caller:
    """Verify one request. Raises Unauthenticated, or Shut for a key that is banned or pending.

    Does the same work for an unknown key id as for a known one. The sequence is taken by `take_sequence`, in
    the transaction of the request's own work.
    """
    try:
        signed = signing.read_headers(headers)
    except signing.SignatureError as error:
        raise Unauthenticated(error.code) from error
    known = _remembered(signed.key_id)
    now = int(clock.now().timestamp())
    try:
        signing.verify_request(signed, known.public_key, method=method, target=target, body=body, now=now)
    except signing.SignatureError as error:
        raise Unauthenticated(error.code if known.state else "unknown_key") from error
    if known.state != KeyState.ACTIVE:
        raise Shut(known.state or "unknown_key")
    return _caller(known, signed.key_id, signed.sequence, address)


def take_sequence(caller: Caller) -> None:
    """Use up the request's sequence number. Raises Unauthenticated (replayed), Shut when banned a moment ago.

    Locks the key's row until the transaction ends: requests of one computer are worked on one after another.
    A request that fails and rolls back has used up nothing, and has also done nothing.
    """
    keys = ComputerKey.objects.within(caller.reach).filter(pk=caller.key_row)
    taken = keys.filter(state=KeyState.ACTIVE, last_sequence__lt=caller.sequence).update(last_sequence=caller.sequence)
    if not taken:
        still_active = keys.filter(state=KeyState.ACTIVE).exists()
        raise Unauthenticated("replayed") if still_active else Shut("banned")


def _remembered(key_id: str) -> _Known:
    """What is known about a key, for a minute at most.

    Only active keys are remembered. A public key belongs to its id for ever, and that the key is still active is
    checked with each request by `take_sequence`; so a ban is immediate all the same.
    """
    known, until = _memory.get(key_id, (_Known(), 0.0))
    if time.monotonic() < until:
        return known
    known = _find(key_id)
    if known.state == KeyState.ACTIVE:
        if len(_memory) >= _MOST_REMEMBERED:
            _memory.clear()
        _memory[key_id] = known, time.monotonic() + _REMEMBER_SECONDS
    return known


def forget() -> None:
    """Remember nothing: for tests whose rows are rolled back."""
    _memory.clear()


def _find(key_id: str) -> _Known:
    with reaching(system_reach("find whose key signed a request")), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT k.id, k.public_key, k.fingerprint, k.state, c.id, c.name, c.number, o.id, o.number,
                   ARRAY(WITH RECURSIVE above AS (
                             SELECT o.parent_id AS id
                             UNION ALL
                             SELECT p.parent_id FROM tenants_organization p JOIN above ON p.id = above.id
                         ) SELECT id FROM above WHERE id IS NOT NULL)
            FROM agents_computerkey k
            JOIN tenants_computer c ON c.id = k.computer_id
            JOIN tenants_organization o ON o.id = k.organization_id
            WHERE k.key_id = %s
            """,
            [key_id],
        )
        row = cursor.fetchone()
    if row is None:
        return _Known()
    return _Known(
        row=row[0],
        public_key=bytes(row[1]),
        fingerprint=row[2],
        state=row[3],
        computer_id=row[4],
        computer_name=row[5],
        computer_number=row[6],
        organization_id=row[7],
        organization_number=row[8],
        ancestors=tuple(row[9]),
    )


def _caller(known: _Known, key_id: str, sequence: int, address: str) -> Caller:
    if known.row is None or known.computer_id is None or known.organization_id is None:
        raise Unauthenticated("unknown_key")
    return Caller(
        key_row=known.row,
        key_id=key_id,
        fingerprint=known.fingerprint,
        sequence=sequence,
        computer_id=known.computer_id,
        computer_name=known.computer_name,
        computer_number=known.computer_number,
        organization_id=known.organization_id,
        reach=agent_reach(
            computer_id=known.computer_id,
            name=known.computer_name,
            organization_id=known.organization_id,
            number=known.organization_number,
            ancestors=known.ancestors,
            address=address,
        ),
    )
