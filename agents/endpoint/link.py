"""The talk between syncer and worker over a socket pair: try this bundle, use it, believe this time, how are
you.

The worker's end is answered by a thread of its own, so that building an engine never delays an answer to the
kernel.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Literal

import msgspec

from agents.endpoint import bundles
from agents.endpoint.bundles import Loaded, UnusableBundle
from agents.endpoint.clock import TrustedClock
from agents.endpoint.modes import ModeKeeper
from agents.endpoint.ruling import RuleBook
from agents.endpoint.store import Store
from agents.endpoint.users import Users
from agents.protocol.messages import Mode, SelfTest

_MAX_MESSAGE_BYTES = 256 << 10
_SAVE_SECONDS = 5.0
_USERS_SECONDS = 60.0
_PATIENCE_SECONDS = 60.0


class Order(msgspec.Struct, frozen=True):
    """What the syncer wants. `number` comes back in the reply."""

    kind: Literal["try", "use", "anchor", "report"]
    number: int
    server_time: float = 0.0


class Report(msgspec.Struct, frozen=True):
    """How the worker is."""

    mode: Mode = "secured"
    mode_ends_at: int | None = None
    is_enforcing: bool = False
    is_broken: bool = False
    clock_set_back: bool = False
    epoch: int = 0
    version: int = 0
    sha256: str = ""


class Reply(msgspec.Struct, frozen=True):
    """The worker's answer. `code` says why not, and is empty when all is well."""

    number: int
    code: str = ""
    detail: str = ""
    self_test: SelfTest = SelfTest()
    report: Report = Report()


class LinkError(RuntimeError):
    """The worker did not answer in time, or not at all."""


class SyncerEnd:
    """The syncer's end: one order at a time, whoever the worker is by now."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._number = int(time.monotonic() * 1000)
        self._lock = threading.Lock()

    def ask(self, kind: Literal["try", "use", "anchor", "report"], server_time: float = 0.0) -> Reply:
        """Send one order and wait for its reply. Raises LinkError."""
        with self._lock:
            self._number += 1
            deadline = time.monotonic() + _PATIENCE_SECONDS
            try:
                self._end.settimeout(5.0)
                self._end.send(msgspec.msgpack.encode(Order(kind, self._number, server_time)))
                while True:
                    self._end.settimeout(max(0.01, deadline - time.monotonic()))
                    reply = msgspec.msgpack.decode(self._end.recv(_MAX_MESSAGE_BYTES), type=Reply)
                    # Replies to orders given up on may still be under way.
                    if reply.number == self._number:
                        return reply
            except (OSError, msgspec.DecodeError) as error:
                raise LinkError(f"the worker does not answer: {error}") from error


class WorkerEnd:
    """The worker's end, and its housekeeping: mode and clock are persisted here, off the hot path."""

    def __init__(
        self,
        end: socket.socket,
        store: Store,
        book: RuleBook,
        clock: TrustedClock,
        modes: ModeKeeper,
        guarded_devices: frozenset[int],
    ) -> None:
        self._end = end
        self._store = store
        self._book = book
        self._clock = clock
        self._modes = modes
        self._guarded = guarded_devices
        self._tried: Loaded | None = None
        self._saved = 0.0
        self._refreshed = time.monotonic()

    def start(self, on_start: Callable[[], None], users: Users) -> None:
        """Answer orders in a thread."""
        target = self._run
        threading.Thread(target=target, args=(on_start, users), name="link", daemon=True).start()

    def load(self) -> None:
        """Take the last good bundle into force, at the start of a worker."""
        try:
            loaded = bundles.load_last_good(self._store)
        except UnusableBundle:
            self._book.use(None, is_broken=True)
            return
        with contextlib.suppress(OSError):
            self._put_in_force(loaded)

    def _run(self, on_start: Callable[[], None], users: Users) -> None:
        on_start()
        self._end.settimeout(1.0)
        while True:
            with contextlib.suppress(TimeoutError):
                message = self._end.recv(_MAX_MESSAGE_BYTES)
                if not message:
                    return
                self._end.send(msgspec.msgpack.encode(self._obey(message)))
            with contextlib.suppress(OSError):
                # A full disk delays what is persisted here; it must not end the talk with the syncer.
                self._keep_house(users)

    def _obey(self, message: bytes) -> Reply:
        order = msgspec.msgpack.decode(message, type=Order)
        try:
            if order.kind == "try":
                return self._try(order)
            if order.kind == "use":
                self._use()
            elif order.kind == "anchor":
                self._clock.anchor(order.server_time)
                self._store.save_clock(self._clock.record())
        except OSError as error:
            return Reply(order.number, "state_unusable", str(error), report=self._report())
        return Reply(order.number, report=self._report())

    def _try(self, order: Order) -> Reply:
        candidate = self._store.candidate()
        self._tried = None
        if candidate is None:
            return Reply(order.number, "no_candidate")
        try:
            loaded = bundles.load(self._store, candidate)
        except UnusableBundle as error:
            return Reply(order.number, error.code, error.detail)
        test = bundles.try_out(loaded, self._guarded, self._clock.now_ms())
        if test.failed:
            return Reply(order.number, "self_test_failed", ", ".join(test.failed), test)
        self._tried = loaded
        return Reply(order.number, self_test=test, report=self._report())

    def _use(self) -> None:
        """Switch to the bundle tried last when it is the one in force by now; else load what is in force."""
        tried, in_force = self._tried, self._store.bundle()
        self._tried = None
        if tried is not None and in_force is not None and tried.stored.envelope == in_force.envelope:
            self._put_in_force(tried)
        else:
            self.load()

    def _put_in_force(self, loaded: Loaded | None) -> None:
        if loaded is not None:
            self._modes.enter(loaded.manifest.mode)
        self._book.use(loaded)
        if loaded is not None:
            self._store.save_mode(self._modes.record())

    def _report(self) -> Report:
        loaded = self._book.loaded
        return Report(
            mode=self._book.mode if loaded or self._book.is_broken else "monitor_only",
            mode_ends_at=self._modes.ends_at,
            is_enforcing=self._book.is_enforcing,
            is_broken=self._book.is_broken,
            clock_set_back=self._clock.set_back,
            epoch=loaded.manifest.epoch if loaded else 0,
            version=loaded.version if loaded else 0,
            sha256=loaded.stored.state.sha256 if loaded else "",
        )

    def _keep_house(self, users: Users) -> None:
        now = time.monotonic()
        if self._modes.changed:
            self._store.save_mode(self._modes.record())
        if now - self._saved > _SAVE_SECONDS:
            self._saved = now
            self._store.save_clock(self._clock.record())
        if now - self._refreshed > _USERS_SECONDS:
            self._refreshed = now
            users.refresh()
