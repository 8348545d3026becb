"""A portal on loopback for tests: real HTTP, real signatures, real bundles, a ledger of everything it was told.

It is the protocol's other side in a hundred lines, not the product's portal: faults can be switched on one by one.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol import compression, envelope, messages, signing
from agents.protocol.manifest import (
    CHECKPOINT_TYPE,
    MANIFEST_TYPE,
    Checkpoint,
    Layer,
    Manifest,
    ManifestPlace,
    ModeWindow,
    PublicKey,
    TrustRoot,
)
from agents.protocol.messages import (
    Ack,
    CheckinAnswer,
    CheckinRequest,
    EnrollAnswer,
    EnrollRequest,
    Event,
    EventBatch,
    EventsAnswer,
    NonceAnswer,
    Problem,
    RequestAnswer,
    RequestMessage,
    StreamHint,
)
from policies.engine import bundle as layers
from policies.engine.model import Application, Policy

API = "/agent/v1/"
ORGANIZATION, GROUP, COMPUTER = "org-able-moose", "grp-servers", "computer-1"
INSTALL_KEY = "ik_1.secret"


def _public(key: Ed25519PrivateKey) -> PublicKey:
    raw = signing.public_bytes(key)
    return PublicKey(id=signing.key_id(raw), public=signing.b64(raw))


class Refusal(Exception):
    """An answer of 400 or more."""

    def __init__(self, status: int, code: str, **fields: Any) -> None:
        super().__init__(code)
        self.status = status
        self.problem = Problem(code=code, status=status, server_time=int(time.time()), **fields)


@dataclass
class Ledger:
    """What the agent told."""

    checkins: list[CheckinRequest] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    events: dict[int, Event] = field(default_factory=dict)
    batches: dict[int, str] = field(default_factory=dict)
    requests: list[RequestMessage] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)


class PortalDouble:
    """Start it, let an agent enroll, `deploy` bundles, read the ledger. Faults are plain attributes."""

    def __init__(self) -> None:
        self.bundle_key, self.checkpoint_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.trust = TrustRoot(bundle_keys=(_public(self.bundle_key),), checkpoint_keys=(_public(self.checkpoint_key),))
        self.ledger = Ledger()
        self.agent_key = b""
        self.manifest: bytes = b""
        self.envelope: bytes = b""
        self.version = 0
        self.revision = 0
        self.hold = False
        self.blobs: dict[str, bytes] = {}
        self.lose_answers = 0
        self.busy = 0
        self.max_events = 1_000
        self.clock_offset = 0
        self.request_status = "pending"
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def deploy(
        self, policies: list[Policy], applications: list[Application], *, mode: ModeWindow | None = None, **changes: Any
    ) -> Manifest:
        """Sign the next version with these policies and wake the agent."""
        blobs = [("policies", "group", layers.compile_layer("group", GROUP, policies))]
        blobs += [("application", one.name, layers.compile_application(one)) for one in applications]
        named = []
        for kind, name, blob in blobs:
            digest = hashlib.sha256(blob).hexdigest()
            self.blobs[digest] = blob
            named.append(Layer(digest=digest, size=len(blob), kind=kind, name=name))  # type: ignore[arg-type]
        self.version += 1
        manifest = Manifest(
            organization=ORGANIZATION,
            computer=COMPUTER,
            key_fingerprint=signing.fingerprint(self.agent_key),
            version=self.version,
            issued_at=int(time.time()),
            expires_at=int(time.time()) + 86_400 * 30,
            mode=mode or ModeWindow(),
            place=ManifestPlace(organization=ORGANIZATION, group=GROUP, os="linux"),
            layers=tuple(named),
        )
        self.offer(msgspec.structs.replace(manifest, **changes))
        return manifest

    def offer(self, manifest: Manifest) -> None:
        """Make this manifest the current one."""
        self.manifest = msgspec.msgpack.encode(manifest)
        self.envelope = envelope.seal(MANIFEST_TYPE, self.manifest, (self.bundle_key,))
        self.wake()

    def wake(self) -> None:
        with self._changed:
            self.revision += 1
            self._changed.notify_all()

    def live_version(self) -> int:
        """The highest version acknowledged as applied."""
        return max((ack.version for ack in self.ledger.acks if ack.result == "applied"), default=0)

    def events(self, *, path: str = "", effect: str = "") -> list[Event]:
        """Events received, oldest first, of one path and effect."""
        found = [self.ledger.events[sequence] for sequence in sorted(self.ledger.events)]
        return [
            event
            for event in found
            if path in ("", event.path) and (not effect or (event.decision and event.decision.effect == effect))
        ]

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        """The body of one answer. Raises Refusal."""
        name = target.removeprefix(API).partition("?")[0]
        if name == "nonce":
            now = int(time.time())
            return messages.encode(NonceAnswer(nonce=secrets.token_hex(16), expires_at=now + 300, server_time=now))
        if name == "enroll":
            return messages.encode(self._enroll(messages.decode(EnrollRequest, body)))
        if name == "stream":
            return messages.encode(self._stream(headers, int(target.partition("after=")[2] or 0)))
        self._verify(method, target, headers, body)
        if self.busy:
            self.busy -= 1
            raise Refusal(503, "busy", retry_after_seconds=0.1)
        if name == "manifest":
            return self.envelope
        if name.startswith("blobs/"):
            return self.blobs[name.removeprefix("blobs/")]
        return self._message(name, compression.inflate(body, headers.get("content-encoding", "")))

    def _verify(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        now = int(time.time()) + self.clock_offset
        found = signing.read_headers(headers)
        try:
            signing.verify_request(found, self.agent_key, method=method, target=target, body=body, now=now)
        except signing.SignatureError as error:
            problem = Refusal(401, error.code)
            problem.problem = msgspec.structs.replace(problem.problem, server_time=now)
            raise problem from error
        if self.ledger.sequences and found.sequence <= self.ledger.sequences[-1]:
            raise Refusal(401, "replayed")
        self.ledger.sequences.append(found.sequence)

    def _message(self, name: str, body: bytes) -> bytes:
        if name == "checkin":
            return messages.encode(self._checkin(messages.decode(CheckinRequest, body)))
        if name == "ack":
            self.ledger.acks.append(messages.decode(Ack, body))
            return b""
        if name == "events":
            return messages.encode(self._events(messages.decode(EventBatch, body), body))
        if name == "requests":
            self.ledger.requests.append(messages.decode(RequestMessage, body))
            return messages.encode(RequestAnswer(id="r1", status="pending"))
        if name == "requests/r1":
            return messages.encode(RequestAnswer(id="r1", status=self.request_status, message="fine"))  # type: ignore[arg-type]
        raise Refusal(404, "not_found")

    def _enroll(self, request: EnrollRequest) -> EnrollAnswer:
        key = signing.unb64(request.public_key)
        proof = signing.enroll_proof(request.nonce, request.machine_id, request.public_key)
        if request.install_key != INSTALL_KEY or not signing.verify(key, signing.unb64(request.proof), proof):
            raise Refusal(403, "enrolment_refused")
        self.agent_key = key
        return EnrollAnswer(
            computer=COMPUTER,
            organization=ORGANIZATION,
            key_id=signing.key_id(key),
            status="active",
            trust=self.trust,
            portal_url=self.url,
            stream_url=self.url + API + "stream",
            server_time=int(time.time()),
        )

    def _checkin(self, request: CheckinRequest) -> CheckinAnswer:
        self.ledger.checkins.append(request)
        checkpoint = b""
        if self.manifest:
            checkpoint = self.sign_checkpoint(self.checkpoint(request.nonce))
        return CheckinAnswer(
            server_time=int(time.time()),
            checkpoint=checkpoint,
            revision=self.revision,
            stream_url=self.url + API + "stream",
            stream_token="t" * 16,
            checkin_seconds=5,
        )

    def checkpoint(self, nonce: str) -> Checkpoint:
        """The checkpoint of the current manifest."""
        manifest = msgspec.msgpack.decode(self.manifest, type=Manifest)
        now = int(time.time()) + self.clock_offset
        return Checkpoint(
            computer=COMPUTER,
            epoch=manifest.epoch,
            version=manifest.version,
            size=len(self.manifest),
            sha256=hashlib.sha256(self.manifest).hexdigest(),
            issued_at=now,
            expires_at=now + 3600,
            server_time=now,
            hold=self.hold,
            nonce=nonce,
        )

    def sign_checkpoint(self, checkpoint: Checkpoint) -> bytes:
        return envelope.seal(CHECKPOINT_TYPE, msgspec.msgpack.encode(checkpoint), (self.checkpoint_key,))

    def _events(self, batch: EventBatch, body: bytes) -> EventsAnswer:
        if len(batch.events) > self.max_events:
            raise Refusal(413, "too_large")
        digest = hashlib.sha256(body).hexdigest()
        if self.ledger.batches.setdefault(batch.batch, digest) != digest:
            raise Refusal(409, "other_bytes")
        fresh = [event for event in batch.events if event.sequence not in self.ledger.events]
        self.ledger.events.update({event.sequence: event for event in fresh})
        if self.lose_answers:
            self.lose_answers -= 1
            raise ConnectionResetError
        return EventsAnswer(
            batch=batch.batch,
            accepted=len(fresh),
            duplicate=len(batch.events) - len(fresh),
            acknowledged_sequence=batch.events[-1].sequence,
        )

    def _stream(self, headers: dict[str, str], known: int) -> StreamHint:
        if headers.get("authorization") != "Bearer " + "t" * 16:
            raise Refusal(401, "bad_token")
        with self._changed:
            self._changed.wait_for(lambda: self.revision != known, timeout=25)
        return StreamHint(revision=self.revision, mode="secured", hold=self.hold)


def _handler(portal: PortalDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def log_message(self, *_: object) -> None:
            """Tests read the ledger instead."""

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = 200
            try:
                content = portal.answer(self.command, self.path, headers, body)
            except Refusal as refusal:
                status, content = refusal.status, messages.encode(refusal.problem)
            except ConnectionResetError:
                self.close_connection = True
                return
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                # An agent that was killed while it waited at the stream.
                self.send_response(status)
                self.send_header("Content-Type", messages.MSGPACK)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    return Handler


def wait_until(condition: Any, seconds: float = 15.0) -> None:
    """Wait for a condition. Raises AssertionError when it never holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
