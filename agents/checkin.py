"""Check-in: a computer tells how it is and learns which bundle is current. Also its acknowledgements and fetches."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from agents import delivery as deliveries
from agents import keys, stream_token
from agents.identity import Caller
from agents.models import Blob, Delivery, Manifest
from agents.protocol import envelope
from agents.protocol.manifest import CHECKPOINT_TYPE, MAX_CHECKPOINT_SECONDS, Checkpoint
from agents.protocol.messages import Ack, CheckinAnswer, CheckinRequest
from agents.stream_token import StreamToken
from portal.common import clock, queue
from portal.common.errors import NotFound
from portal.tenants.models import Computer

STREAM_PATH = "/agent/v1/stream"
_MAX_SKEW_MS = 10**12
_TOLD = (
    "running_epoch",
    "running_version",
    "running_sha256",
    "running_since",
    "refused_version",
    "refused_reason",
    "is_behind",
    "drift",
    "heartbeat",
    "reported_at",
)


@functools.cache
def _key(name: keys.KeyName) -> Ed25519PrivateKey:
    return keys.private_key(name)


@dataclass(frozen=True, slots=True)
class _Current:
    """What the checkpoint will name, read inside the transaction and signed after it."""

    epoch: int
    version: int
    size: int
    sha256: str


def check_in(caller: Caller, message: CheckinRequest) -> Callable[[], CheckinAnswer]:
    """Store the heartbeat and settle what it proves. The function returned signs the answer, after the commit."""
    now = clock.now()
    _note_seen(caller, message, now)
    delivery = _delivery(caller, now)
    deliveries.note_running(
        caller.reach,
        delivery,
        epoch=message.bundle_epoch,
        version=message.bundle_version,
        sha256=message.bundle_sha256,
        at=now,
    )
    deliveries.note_offered(caller.reach, delivery, now)
    delivery.heartbeat = _heartbeat(message)
    delivery.reported_at = now
    delivery.save(update_fields=_TOLD)
    current = delivery.current
    if current is None:
        _ask_for_bundle(delivery, now)
        return lambda: _answer(caller, None, message.nonce, now)
    named = _Current(current.epoch, current.version, current.size, current.sha256)
    return lambda: _answer(caller, named, message.nonce, now)


def acknowledge(caller: Caller, message: Ack) -> None:
    """Take over what a computer says about one bundle: it runs it, or it refused it and why."""
    now = clock.now()
    delivery = _delivery(caller, now)
    if message.result == "applied":
        deliveries.note_running(
            caller.reach, delivery, epoch=message.epoch, version=message.version, sha256=message.sha256, at=now
        )
    else:
        deliveries.note_refused(
            caller.reach,
            delivery,
            epoch=message.epoch,
            version=message.version,
            reason=_refusal(message),
            at=now,
        )
    delivery.save(update_fields=_TOLD)


def computer_of(caller: Caller) -> Computer:
    """The caller's own row, with its organization and group."""
    rows = Computer.objects.within(caller.reach).select_related("organization", "group")
    found: Computer = rows.get(pk=caller.computer_id)
    return found


def current_manifest(caller: Caller) -> Manifest:
    """The newest manifest of the caller's own computer. Raises NotFound when none was made yet."""
    delivery = (
        Delivery.objects.within(caller.reach)
        .filter(computer_id=caller.computer_id, current__isnull=False)
        .select_related("current")
        .first()
    )
    if delivery is None or delivery.current is None:
        raise NotFound
    return delivery.current


def blob(caller: Caller, digest: str) -> Blob:
    """A blob that the caller's own current manifest names. Anything else is NotFound, whether it exists or not."""
    manifest = current_manifest(caller)
    found = Blob.objects.within(caller.reach).filter(digest=digest).first() if digest in manifest.layers else None
    if found is None:
        raise NotFound
    return found


def _delivery(caller: Caller, now: datetime) -> Delivery:
    return deliveries.delivery_of(
        caller.reach, computer_id=caller.computer_id, organization_id=caller.organization_id, at=now
    )


def _note_seen(caller: Caller, message: CheckinRequest, now: datetime) -> None:
    skew = message.clock_ms - clock.to_ms(now) if message.clock_ms else 0
    said = {"agent_version": message.agent_version[:40]} if message.agent_version else {}
    Computer.objects.within(caller.reach).filter(pk=caller.computer_id).order_by().update(
        last_seen_at=now, clock_skew_ms=max(-_MAX_SKEW_MS, min(_MAX_SKEW_MS, skew)), **said
    )


def _heartbeat(message: CheckinRequest) -> dict[str, object]:
    """The heartbeat as kept for the screen, free of what PostgreSQL's JSON refuses."""
    plain: dict[str, object] = msgspec.to_builtins(message)
    plain.pop("nonce", None)
    return {key: _storable(value) for key, value in plain.items()}


def _storable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")[:2_000]
    if isinstance(value, float):
        return value if abs(value) < 1e12 else 0.0
    if isinstance(value, dict):
        return {str(key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value[:50]]
    return value


def _ask_for_bundle(delivery: Delivery, now: datetime) -> None:
    if delivery.rebuild_due_at is None:
        Delivery.rows.filter(pk=delivery.pk).update(rebuild_due_at=now)
    queue.after_commit("agents.build_owed_bundles", organization_id=delivery.organization_id)


def _refusal(message: Ack) -> str:
    detail = message.detail or ", ".join(message.self_test.failed[:5])
    text = f"{message.reason or 'refused'}: {detail}" if detail else message.reason or "refused"
    return str(_storable(text))[:512]


def _answer(caller: Caller, current: _Current | None, nonce: str, now: datetime) -> CheckinAnswer:
    seconds = int(now.timestamp())
    expires_at = seconds + stream_token.LIFETIME_SECONDS
    token = StreamToken(str(caller.computer_id), caller.key_id, expires_at)
    return CheckinAnswer(
        server_time=seconds,
        checkpoint=_checkpoint(caller, current, nonce, seconds) if current else b"",
        revision=current.version if current else 0,
        stream_url=f"{settings.STREAM_URL}{STREAM_PATH}",
        stream_token=stream_token.sign(token, _key("agent-token")),
        stream_token_expires_at=expires_at,
        checkin_seconds=settings.CHECKIN_SECONDS,
    )


def _checkpoint(caller: Caller, current: _Current, nonce: str, now: int) -> bytes:
    checkpoint = Checkpoint(
        computer=str(caller.computer_id),
        epoch=current.epoch,
        version=current.version,
        size=current.size,
        sha256=current.sha256,
        issued_at=now,
        expires_at=now + MAX_CHECKPOINT_SECONDS,
        server_time=now,
        nonce=nonce,
    )
    return envelope.seal(CHECKPOINT_TYPE, msgspec.msgpack.encode(checkpoint), (_key("checkpoint"),))
