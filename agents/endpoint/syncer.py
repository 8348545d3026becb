"""The syncer: the agent's only process on the network. Checks in, waits for hints, brings bundles, delivers events."""

from __future__ import annotations

import contextlib
import random
import socket
import sqlite3
import threading
import time

import msgspec

from agents.endpoint import sandbox
from agents.endpoint.backoff import Backoff
from agents.endpoint.board import Board
from agents.endpoint.clock import Sources, TrustedClock
from agents.endpoint.control import Control
from agents.endpoint.delivery import Delivery
from agents.endpoint.orders import LinkError, Reply, SyncerEnd
from agents.endpoint.spool import Spool
from agents.endpoint.store import Identity, Store
from agents.endpoint.stream import Door, Stream
from agents.endpoint.transport import RefusedByPortal, Transport, Unreachable
from agents.endpoint.upload import Uploader
from agents.endpoint.vitals import Contact, Vitals
from agents.protocol.messages import Ack, CheckinAnswer, CheckinRequest

_STEP_SECONDS = 0.5
_STATUS_SECONDS = 2.0
_MIN_CHECKIN_SECONDS, _MAX_CHECKIN_SECONDS = 5, 3_600
_BATCHES_PER_STEP = 8


class Sequence:
    """Request sequence numbers: rising for ever, reserved a thousand at a time so that none is used twice."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._next = self._end = 0

    def __call__(self) -> int:
        if self._next == self._end:
            self._next = self._spool.reserve_requests(1_000)
            self._end = self._next + 1_000
        self._next += 1
        return self._next - 1


class Syncer:
    """One enrolled computer's talk with its portal."""

    def __init__(
        self, store: Store, identity: Identity, worker: SyncerEnd, clock: TrustedClock, vitals: Vitals
    ) -> None:
        self._store = store
        self._identity = identity
        self._worker = worker
        self._clock = clock
        self._vitals = vitals
        self._spool = Spool(store.spool)
        self._transport = Transport(
            identity.portal_url,
            key=store.key(),
            sequence=Sequence(Spool(store.spool, shared=True)),
            ca_file=identity.ca_file,
            insecure=identity.insecure,
        )
        self._wake = threading.Event()
        self._stream = Stream(self._transport, self._wake)
        self._uploader = Uploader(self._spool, self._transport, clock)
        self._delivery = Delivery(store, self._transport, worker)
        self._control = Control(store, self._transport, worker, self._wake)
        self._backoff = Backoff()
        self._checkin_seconds = 60
        self._next_checkin = 0.0
        self._next_status = 0.0
        self._contact = Contact()

    def run(self) -> None:
        """Never returns; the process ends with the guardian."""
        self._stream.start()
        self._control.start()
        while True:
            woken = self._wake.wait(_STEP_SECONDS)
            if woken or time.monotonic() >= self._next_checkin:
                self._wake.clear()
                self._try_checkin()
            self._upload()
            if time.monotonic() >= self._next_status:
                self._next_status = time.monotonic() + _STATUS_SECONDS
                self._contact.refusal = self._delivery.last_refusal or self._contact.refusal
                with contextlib.suppress(OSError, sqlite3.Error):
                    self._vitals.publish(self._identity, self._contact)

    def _try_checkin(self) -> None:
        try:
            self.check_in()
        except (Unreachable, LinkError) as error:
            self._failed(str(error), None)
        except (OSError, sqlite3.Error) as error:
            self._failed(f"state directory: {error}", None)
        except RefusedByPortal as error:
            self._failed(str(error), error.retry_after_seconds)
        else:
            self._backoff.succeeded()
            self._contact.problem = ""
            jitter = random.uniform(0.8, 1.2)  # noqa: S311
            self._next_checkin = time.monotonic() + self._checkin_seconds * jitter

    def _failed(self, problem: str, asked_seconds: float | None) -> None:
        self._contact.problem = problem
        self._next_checkin = time.monotonic() + self._backoff.failed(asked_seconds)

    def check_in(self) -> None:
        """One check-in, and the delivery it leads to. Raises Unreachable, RefusedByPortal, LinkError."""
        reply = self._worker.ask("nonce")
        nonce = reply.nonce
        fields = msgspec.structs.asdict(self._vitals.heartbeat())
        answer = self._transport.post("checkin", CheckinRequest(nonce=nonce, **fields), CheckinAnswer)
        self._contact.checked_in_at = int(time.time())
        wanted = reply.report.checkin_seconds or answer.checkin_seconds  # what is signed counts more than an answer
        self._checkin_seconds = min(max(wanted, _MIN_CHECKIN_SECONDS), _MAX_CHECKIN_SECONDS)
        self._stream.move_to(Door(answer.stream_url, answer.stream_token, answer.revision))
        if answer.root:
            self._check(self._worker.ask("root", answer.root))
        if answer.checkpoint:
            self._take_checkpoint(answer.checkpoint)

    def _take_checkpoint(self, envelope: bytes) -> None:
        reply = self._worker.ask("checkpoint", envelope)
        self._check(reply)
        checkpoint = reply.checkpoint
        if checkpoint is None:
            return
        self._clock.anchor(checkpoint.server_time)
        if reply.report.sha256 != checkpoint.sha256:
            self._delivery.deliver(checkpoint)

    def _check(self, reply: Reply) -> None:
        """Tell the portal when the worker did not believe what it sent. Nothing has changed then."""
        self._contact.refusal = f"{reply.code} {reply.detail}".strip()
        if reply.code:
            self._report_rejection(reply)

    def _report_rejection(self, reply: Reply) -> None:
        """Names the bundle in force: a checkpoint that is not believed names nothing."""
        ack = Ack(
            epoch=reply.report.epoch,
            version=reply.report.version,
            sha256=reply.report.sha256,
            result="refused",
            reason=reply.code,
            detail=reply.detail,
            at_ms=int(time.time() * 1000),
        )
        self._transport.tell("ack", ack)

    def _upload(self) -> None:
        try:
            for _ in range(_BATCHES_PER_STEP):
                if self._spool.is_empty() or not self._uploader.upload():
                    return
        except sqlite3.Error as error:
            self._contact.problem = f"spool: {error}"


def sync(store: Store, board: Board, end: socket.socket, guarded: tuple[str, ...]) -> None:
    """The syncer's process. Until the computer is enrolled it only says how the agent is."""
    sandbox.confine(str(store.sync))
    worker = SyncerEnd(end)
    clock = TrustedClock(Sources.real(), store.clock())
    vitals = Vitals(store, board, worker, clock, guarded)
    while (identity := store.identity()) is None:
        vitals.publish(None, Contact(problem="not enrolled: run `portcullis-agent enroll`"))
        time.sleep(_STATUS_SECONDS)
    Syncer(store, identity, worker, clock, vitals).run()
