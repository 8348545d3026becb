"""A small honest agent: the protocol as a stranger would write it, over any HTTP client, with nothing of the portal.

`Endpoint(client)` speaks through Django's test client; `Endpoint(client=None, url=...)` over the network. It keeps its
own ledger: what it applied, refused and had acknowledged.
"""

from __future__ import annotations

import base64
import http.client
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from agents.protocol import acceptance, compression, messages, signing
from agents.protocol.acceptance import AgentState, Rejection
from agents.protocol.manifest import Checkpoint, Manifest, TrustRoot
from agents.protocol.messages import MSGPACK

BASE = "/agent/v1/"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whatever carried it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def read(self, kind: type[Any]) -> Any:
        return messages.decode(kind, self.body, self.headers.get("content-type", MSGPACK))

    @property
    def code(self) -> str:
        return str(self.read(messages.Problem).code)


class Wire(Protocol):
    def __call__(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply: ...


def through_django(client: Client) -> Wire:
    def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        kind = headers.pop("Content-Type", MSGPACK)
        response = client.generic(method, path, body, content_type=kind, headers=headers)
        return Reply(response.status_code, {k.lower(): v for k, v in response.items()}, response.content)

    return send


def over_network(url: str) -> Wire:
    parts = urlsplit(url)

    def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        link = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=20)
        try:
            link.request(method, path, body=body, headers=headers)
            answer = link.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            link.close()

    return send


@dataclass
class Endpoint:
    """One pretend computer. `clock_offset`: how wrong its clock is, in seconds."""

    client: Client | None = None
    url: str = ""
    name: str = "cad-01"
    machine_id: str = ""
    os: str = "windows"
    clock_offset: int = 0
    drops_acks: bool = False
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    state: AgentState | None = None
    trust: TrustRoot | None = None
    manifest: Manifest | None = None
    checkpoint: Checkpoint | None = None
    answer: messages.CheckinAnswer | None = None
    sequence: int = 0
    applied: list[tuple[int, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    event_sequence: int = 0
    batch: int = 0

    def __post_init__(self) -> None:
        self.machine_id = self.machine_id or f"machine-{self.name}"
        self.wire: Wire = through_django(self.client or Client()) if not self.url else over_network(self.url)

    # --- who it is ---
    @property
    def public_key(self) -> str:
        return signing.b64(signing.public_bytes(self.key))

    def enroll(self, install_key: str, *, nonce: str = "", **changes: Any) -> Reply:
        nonce = nonce or self.nonce()
        proof = self.key.sign(signing.enroll_proof(nonce, self.machine_id, self.public_key))
        good = messages.EnrollRequest(
            install_key=install_key,
            hostname=self.name,
            machine_id=self.machine_id,
            os=self.os,  # type: ignore[arg-type]
            agent_version="1.0",
            public_key=self.public_key,
            nonce=nonce,
            proof=signing.b64(proof),
        )
        reply = self.post_unsigned("enroll", msgspec.structs.replace(good, **changes))
        if reply.status == 200:
            self._enrolled(reply.read(messages.EnrollAnswer))
        return reply

    def _enrolled(self, answer: messages.EnrollAnswer) -> None:
        self.trust = answer.trust
        self.state = AgentState(
            organization=answer.organization,
            computer=answer.computer,
            key_fingerprint=signing.fingerprint(signing.public_bytes(self.key)),
        )

    def nonce(self) -> str:
        return str(self.post_unsigned("nonce", None).read(messages.NonceAnswer).nonce)

    # --- requests ---
    def post_unsigned(self, path: str, message: Any) -> Reply:
        body = messages.encode(message) if message is not None else b""
        return self.wire("POST", BASE + path, body, {"Content-Type": MSGPACK})

    def request(
        self,
        method: str,
        path: str,
        message: Any = None,
        *,
        raw: bytes | None = None,
        encoding: str = "",
        headers: dict[str, str] | None = None,
        change: Callable[[dict[str, str]], None] | None = None,
        sequence: int | None = None,
    ) -> Reply:
        """A signed request. `change` may spoil the headers after signing."""
        body = raw if raw is not None else (messages.encode(message) if message is not None else b"")
        body = compression.deflate(body, encoding) if raw is None else body
        self.sequence = sequence if sequence is not None else self.sequence + 1
        target = BASE + path
        signed = signing.sign_request(
            self.key, method=method, target=target, body=body, created=self.now(), sequence=self.sequence
        )
        if encoding:
            signed["Content-Encoding"] = encoding
        signed.update({"Content-Type": MSGPACK, **(headers or {})})
        if change is not None:
            change(signed)
        return self.wire(method, target, body, signed)

    def now(self) -> int:
        return int(time.time()) + self.clock_offset

    # --- what it does ---
    def check_in(self, **changes: Any) -> Reply:
        """Tell how it is; take the checkpoint. A skewed clock is put right once, as the protocol says."""
        nonce = base64.b64encode(os.urandom(24)).decode()
        state = self.known
        beat = messages.CheckinRequest(
            nonce=nonce,
            bundle_epoch=state.epoch,
            bundle_version=state.version,
            bundle_sha256=state.sha256,
            agent_version="1.0",
            clock_ms=self.now() * 1000,
        )
        message = msgspec.structs.replace(beat, **changes)
        reply = self.request("POST", "checkin", message)
        if reply.status == 401 and reply.code == "clock_skew":
            self.clock_offset += reply.read(messages.Problem).server_time - self.now()
            reply = self.request("POST", "checkin", message)
        if reply.status == 200:
            self.answer = reply.read(messages.CheckinAnswer)
            self._take_checkpoint(self.answer.checkpoint, nonce)
        return reply

    def _take_checkpoint(self, envelope: bytes, nonce: str) -> None:
        if envelope and self.trust:
            accepted = acceptance.accept_checkpoint(envelope, self.known, self.trust, nonce, self.now())
            self.checkpoint, self.state = accepted

    def fetch(self) -> bool:
        """Fetch, check and apply what the checkpoint names. True when something new runs. Acknowledges."""
        if self.checkpoint is None or self.checkpoint.version <= self.known.version:
            return False
        envelope = self.request("GET", "manifest").body
        try:
            accepted = acceptance.accept(envelope, self.known, self.must_trust, self.checkpoint, self.now())
            for layer in accepted.manifest.layers:
                acceptance.check_layer(layer, self.request("GET", f"blobs/{layer.digest}").body)
        except Rejection as rejection:
            self.refused.append(rejection.code)
            self.acknowledge("refused", self.checkpoint.version, self.checkpoint.sha256, reason=rejection.code)
            return False
        self.state, self.manifest = accepted.state, accepted.manifest
        self.applied.append((accepted.manifest.version, accepted.sha256))
        if not self.drops_acks:
            self.acknowledge("applied", accepted.manifest.version, accepted.sha256)
        return True

    def acknowledge(self, result: str, version: int, sha256: str, reason: str = "") -> Reply:
        ack = messages.Ack(epoch=1, version=version, sha256=sha256, result=result, reason=reason)  # type: ignore[arg-type]
        return self.request("POST", "ack", ack)

    def sync(self) -> bool:
        """One turn of its loop: check in, fetch and apply."""
        reply = self.check_in()
        return reply.status == 200 and self.fetch()

    def send_events(self, *events: messages.Event, **options: Any) -> Reply:
        self.batch += 1
        batch = messages.EventBatch(
            boot_id="boot-1", batch=self.batch, first_sequence=events[0].sequence if events else 0, events=events
        )
        return self.request("POST", "events", batch, **options)

    def event(self, path: str = r"c:\tools\a.exe", **changes: Any) -> messages.Event:
        self.event_sequence += 1
        denied = messages.EventDecision(action="deny", effect="denied", reason_code="default")
        good = messages.Event(
            sequence=self.event_sequence, occurred_at_ms=self.now() * 1000, path=path, user="ada", decision=denied
        )
        return msgspec.structs.replace(good, **changes)

    @property
    def known(self) -> AgentState:
        if self.state is None:
            raise LookupError(f"{self.name} is not enrolled")
        return self.state

    @property
    def must_trust(self) -> TrustRoot:
        if self.trust is None:
            raise LookupError(f"{self.name} is not enrolled")
        return self.trust
