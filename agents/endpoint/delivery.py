"""Takes a new bundle from the portal into force: fetch, check in the fixed order, try out, persist, apply,
acknowledge.
"""

from __future__ import annotations

import time

import msgspec

from agents.endpoint.link import LinkError, SyncerEnd
from agents.endpoint.store import Store, StoredBundle
from agents.endpoint.transport import AnswerTooLarge, Transport
from agents.protocol.acceptance import Accepted, AgentState, Rejection, accept, check_layer
from agents.protocol.envelope import OVERHEAD_BYTES
from agents.protocol.manifest import Checkpoint, Manifest, TrustRoot
from agents.protocol.messages import Ack, SelfTest

_REFUSED_SECONDS = 600.0


class Delivery:
    """`deliver` is safe to repeat: what is in force already is only acknowledged again when it was not heard."""

    def __init__(self, store: Store, transport: Transport, worker: SyncerEnd) -> None:
        self._store = store
        self._transport = transport
        self._worker = worker
        self._refused = ("", 0.0)
        self.last_refusal = ""

    def deliver(self, checkpoint: Checkpoint, state: AgentState, trust: TrustRoot) -> bool:
        """Bring the bundle the checkpoint names into force. True when it is, False when it was refused.

        Raises Unreachable, RefusedByPortal or LinkError when it should be tried again.
        """
        if checkpoint.hold or self._was_refused(checkpoint):
            return False
        began = time.monotonic()
        try:
            envelope_bytes = self._fetch("manifest", checkpoint.size + OVERHEAD_BYTES, "too_large")
            now = int(checkpoint.server_time + time.monotonic() - began)
            accepted = accept(envelope_bytes, state, trust, checkpoint, now)
            self._fetch_layers(accepted.manifest)
        except Rejection as error:
            self._refuse(checkpoint, error.code, error.detail)
            return False
        return self._apply(accepted, StoredBundle(envelope_bytes, accepted.state, trust), checkpoint)

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

    def _apply(self, accepted: Accepted, stored: StoredBundle, checkpoint: Checkpoint) -> bool:
        self._store.save_candidate(stored)
        tried = self._worker.ask("try")
        if tried.code:
            self._refuse(checkpoint, tried.code, tried.detail, tried.self_test)
            return False
        before = self._store.bundle()
        self._store.save_bundle(stored)
        report = self._worker.ask("use").report
        if report.sha256 != accepted.sha256:
            raise LinkError(f"the worker runs version {report.version}, not {accepted.manifest.version}")
        self._acknowledge(accepted, tried.self_test)
        self._prune(accepted.manifest, before)
        return True

    def _acknowledge(self, accepted: Accepted, test: SelfTest) -> None:
        ack = Ack(
            epoch=accepted.manifest.epoch,
            version=accepted.manifest.version,
            sha256=accepted.sha256,
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
        keep = {layer.digest for layer in manifest.layers}
        if before is not None:
            opened = msgspec.msgpack.decode(before.envelope)
            previous = msgspec.msgpack.decode(opened["payload"], type=Manifest)
            keep |= {layer.digest for layer in previous.layers}
        self._store.prune_blobs(keep)
