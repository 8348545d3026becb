"""The order of checks a signed bundle must pass before an agent believes it. Shared by the agent and the
simulator.

Each check refuses with its own code; what is refused changes nothing, and the last good bundle keeps
deciding.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from agents.protocol import envelope
from agents.protocol.manifest import (
    CHECKPOINT_TYPE,
    ENGINE,
    FORMAT,
    MANIFEST_TYPE,
    MAX_CHECKPOINT_BYTES,
    MAX_CHECKPOINT_SECONDS,
    MAX_MANIFEST_BYTES,
    MAX_ROOT_BYTES,
    ROOT_TYPE,
    Checkpoint,
    Layer,
    Manifest,
    TrustRoot,
)

MAX_AHEAD_SECONDS = 24 * 3600

T = TypeVar("T")


class Rejection(Exception):
    """Why something signed was not believed. `code` travels in the acknowledgement.

    Codes: too_large, malformed, unknown_payload_type, no_signature, duplicate_signature, unknown_key,
    bad_signature, unknown_format, engine_too_old, wrong_organization, wrong_computer, wrong_key, wrong_epoch,
    version_rollback, same_version_other_hash, checkpoint_mismatch, size_mismatch, hash_mismatch,
    issued_in_future, expired, held, checkpoint_rollback, checkpoint_expired, checkpoint_too_long,
    wrong_nonce, no_root_keys, root_rollback, root_not_signed_by_both, layer_size_mismatch,
    layer_hash_mismatch.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """Who this agent is and what it has accepted so far. Persisted (fsync) before it is used."""

    organization: str
    computer: str
    key_fingerprint: str
    epoch: int = 0
    version: int = 0
    sha256: str = ""
    checkpoint_issued_at: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A manifest that passed every check, and the state to persist before using it."""

    manifest: Manifest
    payload: bytes
    sha256: str
    state: AgentState


def accept(envelope_bytes: bytes, state: AgentState, trust: TrustRoot, checkpoint: Checkpoint, now: int) -> Accepted:
    """Check one manifest in the fixed order: size, signature, target, version, checkpoint, dates. Raises
    Rejection.

    `checkpoint` must come from `accept_checkpoint`; `now` is unix seconds of the best clock the agent has.
    """
    limit = min(MAX_MANIFEST_BYTES, checkpoint.size) + envelope.OVERHEAD_BYTES
    payload = _open(envelope_bytes, MANIFEST_TYPE, envelope.key_table(trust.bundle_keys), limit)
    manifest = _decode(payload, Manifest)
    digest = hashlib.sha256(payload).hexdigest()
    _check_format(manifest)
    _check_target(manifest, state)
    _check_version(manifest, digest, state, trust)
    _check_against_checkpoint(manifest, len(payload), digest, checkpoint)
    _check_dates(manifest, now)
    if checkpoint.expires_at <= now:
        raise Rejection("checkpoint_expired")
    if checkpoint.hold and (manifest.epoch, manifest.version) != (state.epoch, state.version):
        raise Rejection("held")
    new = msgspec.structs.replace(state, epoch=manifest.epoch, version=manifest.version, sha256=digest)
    return Accepted(manifest, payload, digest, new)


def accept_checkpoint(
    envelope_bytes: bytes, state: AgentState, trust: TrustRoot, nonce: str, now: int | None
) -> tuple[Checkpoint, AgentState]:
    """Check one checkpoint: size, signature, target, nonce, age, and that it points at nothing older. Raises
    Rejection.

    The nonce was made for this check-in, so an answer that echoes it is fresh whatever our clock says: pass
    `now=None` to take the checkpoint's own `server_time` for the time.
    """
    payload = _open(envelope_bytes, CHECKPOINT_TYPE, envelope.key_table(trust.checkpoint_keys), MAX_CHECKPOINT_BYTES)
    checkpoint = _decode(payload, Checkpoint)
    if checkpoint.computer != state.computer:
        raise Rejection("wrong_computer", checkpoint.computer)
    if checkpoint.nonce != nonce:
        raise Rejection("wrong_nonce")
    if checkpoint.expires_at - checkpoint.issued_at > MAX_CHECKPOINT_SECONDS:
        raise Rejection("checkpoint_too_long")
    if checkpoint.expires_at <= (checkpoint.server_time if now is None else now):
        raise Rejection("checkpoint_expired")
    if checkpoint.issued_at < state.checkpoint_issued_at:
        raise Rejection("checkpoint_rollback", f"issued {checkpoint.issued_at}, seen {state.checkpoint_issued_at}")
    if checkpoint.epoch != trust.epoch:
        raise Rejection("wrong_epoch", f"{checkpoint.epoch}, trusted {trust.epoch}")
    if (checkpoint.epoch, checkpoint.version) < (state.epoch, state.version):
        raise Rejection("version_rollback", f"checkpoint names {checkpoint.epoch}.{checkpoint.version}")
    return checkpoint, msgspec.structs.replace(state, checkpoint_issued_at=checkpoint.issued_at)


def accept_root(envelope_bytes: bytes, trust: TrustRoot) -> TrustRoot:
    """The next trust root: signed by a root key of the one we have and by a root key of its own. Raises
    Rejection.
    """
    old = envelope.key_table(trust.root_keys)
    if not old:
        raise Rejection("no_root_keys")
    try:
        unverified = msgspec.msgpack.decode(envelope_bytes[:MAX_ROOT_BYTES], type=envelope.Envelope)
        candidate = msgspec.msgpack.decode(unverified.payload, type=TrustRoot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection("malformed", str(error)) from error
    try:
        new = envelope.key_table(candidate.root_keys)
        for table in (candidate.bundle_keys, candidate.checkpoint_keys):
            envelope.key_table(table)
        _, signers = envelope.read_signed(
            envelope_bytes, payload_type=ROOT_TYPE, keys={**new, **old}, max_bytes=MAX_ROOT_BYTES
        )
    except envelope.EnvelopeError as error:
        raise Rejection(error.code, error.detail) from error
    if not signers & old.keys() or not signers & new.keys():
        raise Rejection("root_not_signed_by_both")
    if candidate.epoch != trust.epoch + 1:
        raise Rejection("root_rollback", f"epoch {candidate.epoch}, have {trust.epoch}")
    return candidate


def check_layer(layer: Layer, blob: bytes) -> None:
    """The blob is the one the manifest names. Raises Rejection."""
    if len(blob) != layer.size:
        raise Rejection("layer_size_mismatch", layer.digest)
    if hashlib.sha256(blob).hexdigest() != layer.digest:
        raise Rejection("layer_hash_mismatch", layer.digest)


def is_stale(checkpoint_expires_at: int, now: int) -> bool:
    """Whether the last checkpoint has run out. A stale agent keeps deciding by its last good bundle and says
    so.
    """
    return checkpoint_expires_at <= now


def _open(data: bytes, payload_type: str, keys: dict[str, bytes], max_bytes: int) -> bytes:
    try:
        return envelope.open_envelope(data, payload_type=payload_type, keys=keys, max_bytes=max_bytes)
    except envelope.EnvelopeError as error:
        raise Rejection(error.code, error.detail) from error


def _decode(payload: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejection("malformed", str(error)) from error


def _check_format(manifest: Manifest) -> None:
    if manifest.format != FORMAT:
        raise Rejection("unknown_format", str(manifest.format))
    if manifest.engine_min > ENGINE:
        raise Rejection("engine_too_old", f"needs {manifest.engine_min}, have {ENGINE}")


def _check_target(manifest: Manifest, state: AgentState) -> None:
    if manifest.organization != state.organization or manifest.place.organization != state.organization:
        raise Rejection("wrong_organization", manifest.organization)
    if manifest.computer != state.computer:
        raise Rejection("wrong_computer", manifest.computer)
    if manifest.key_fingerprint != state.key_fingerprint:
        raise Rejection("wrong_key", manifest.key_fingerprint)


def _check_version(manifest: Manifest, digest: str, state: AgentState, trust: TrustRoot) -> None:
    if manifest.epoch != trust.epoch:
        raise Rejection("wrong_epoch", f"{manifest.epoch}, trusted {trust.epoch}")
    offered, have = (manifest.epoch, manifest.version), (state.epoch, state.version)
    if offered < have:
        raise Rejection("version_rollback", f"offered {offered[0]}.{offered[1]}, have {have[0]}.{have[1]}")
    if offered == have and digest != state.sha256:
        raise Rejection("same_version_other_hash", digest)


def _check_against_checkpoint(manifest: Manifest, size: int, digest: str, checkpoint: Checkpoint) -> None:
    if (manifest.epoch, manifest.version) != (checkpoint.epoch, checkpoint.version):
        raise Rejection("checkpoint_mismatch", f"checkpoint names {checkpoint.epoch}.{checkpoint.version}")
    if size != checkpoint.size:
        raise Rejection("size_mismatch", f"{size}, checkpoint says {checkpoint.size}")
    if digest != checkpoint.sha256:
        raise Rejection("hash_mismatch", digest)


def _check_dates(manifest: Manifest, now: int) -> None:
    if manifest.issued_at > now + MAX_AHEAD_SECONDS:
        raise Rejection("issued_in_future", str(manifest.issued_at))
    if manifest.expires_at <= now:
        raise Rejection("expired", str(manifest.expires_at))
