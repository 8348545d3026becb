"""Brings the bundle a checkpoint names: fetch, have it examined, fetch its layers, have it tried and used,
acknowledge.

This side carries and reports. Whether a bundle is believed is the worker's decision (`agents.endpoint.custody`).
"""

from __future__ import annotations

import time

import msgspec

from agents.endpoint.orders import LinkError, Reply, SyncerEnd
from agents.endpoint.store import Store, StoredBundle
from agents.endpoint.transport import AnswerTooLarge, Transport
from agents.protocol import envelope
from agents.protocol.acceptance import Rejection, check_layer
from agents.protocol.manifest import Checkpoint, Manifest
from agents.protocol.messages import Ack, SelfTest

_REFUSED_SECONDS = 600.0


class Delivery:
    """`deliver` is safe to repeat: what is here already is not fetched again."""

    def __init__(self, store: Store, transport: Transport, worker: SyncerEnd) -> None:
        self._store = store
        self._transport = transport
        self._worker = worker
        self._refused = ("", 0.0)
        self.last_refusal = ""

    def deliver(self, checkpoint: Checkpoint) -> bool:
        """Bring the bundle the checkpoint names into force. True when it is, False when it was refused.

        Raises Unreachable, RefusedByPortal or LinkError when it should be tried again.
        """
        if checkpoint.hold or self._was_refused(checkpoint):
            return False
        try:
            candidate = self._fetch("manifest", checkpoint.size + envelope.OVERHEAD_BYTES, "too_large")
            self._store.save_candidate(candidate)
            _raise_refusal(self._worker.ask("examine"))
            manifest = _manifest_in(candidate)
            self._fetch_layers(manifest)
        except Rejection as error:
            self._refuse(checkpoint, error.code, error.detail)
            return False
        return self._apply(checkpoint, manifest)

    def _was_refused(self, checkpoint: Checkpoint) -> bool:
        """What was refused is asked for again after ten minutes: the portal may have been mended."""
        sha256, at = self._refused
        return sha256 == checkpoint.sha256 and time.monotonic() - at < _REFUSED_SECONDS

    def _fetch(self, name: str, max_bytes: int, code: str) -> bytes:
        try:
            return self._transport.fetch(name, max_bytes)
        except AnswerTooLarge as error:
            raise Rejection(code, str(error)) from error

    def _fetch_layers(self, manifest: Manifest) -> None:
        for layer in manifest.layers:
            have = self._store.blob(layer.digest)
            if have is not None:
                try:
                    check_layer(layer, have)
                    continue
                except Rejection:
                    # Damaged on our disk: fetch it again.
                    have = None
            blob = self._fetch(f"blobs/{layer.digest}", layer.size, "layer_size_mismatch")
            check_layer(layer, blob)
            self._store.save_blob(layer.digest, blob)

    def _apply(self, checkpoint: Checkpoint, manifest: Manifest) -> bool:
        tried = self._worker.ask("try")
        if tried.code:
            self._refuse(checkpoint, tried.code, tried.detail, tried.self_test)
            return False
        before = self._store.bundle()
        used = self._worker.ask("use")
        if used.code or used.report.sha256 != checkpoint.sha256:
            raise LinkError(f"the worker runs version {used.report.version} {used.code} {used.detail}".strip())
        self.last_refusal = ""
        self._acknowledge(checkpoint, tried.self_test)
        self._prune(manifest, before)
        return True

    def _acknowledge(self, checkpoint: Checkpoint, test: SelfTest) -> None:
        ack = Ack(
            epoch=checkpoint.epoch,
            version=checkpoint.version,
            sha256=checkpoint.sha256,
            result="applied",
            self_test=test,
            at_ms=int(time.time() * 1000),
        )
        self._transport.tell("ack", ack)

    def _refuse(self, checkpoint: Checkpoint, code: str, detail: str, test: SelfTest | None = None) -> None:
        self._refused = (checkpoint.sha256, time.monotonic())
        self.last_refusal = f"version {checkpoint.version}: {code} {detail}".strip()
        ack = Ack(
            epoch=checkpoint.epoch,
            version=checkpoint.version,
            sha256=checkpoint.sha256,
            result="refused",
            reason=code,
            detail=detail[:4_096],
            self_test=test or SelfTest(),
            at_ms=int(time.time() * 1000),
        )
        self._transport.tell("ack", ack)

    def _prune(self, manifest: Manifest, before: StoredBundle | None) -> None:
        """Keep the blobs of the bundle in force and of the one before it."""
        manifests = [manifest] + ([_manifest_in(before.envelope)] if before else [])
        self._store.prune_blobs({layer.digest for one in manifests for layer in one.layers})


def _raise_refusal(reply: Reply) -> None:
    if reply.code:
        raise Rejection(reply.code, reply.detail)


def _manifest_in(candidate: bytes) -> Manifest:
    """The manifest in an envelope that the worker has examined."""
    opened = msgspec.msgpack.decode(candidate, type=envelope.Envelope)
    return msgspec.msgpack.decode(opened.payload, type=Manifest)
