"""The worker's end of the talk with the syncer: every order is carried out in a thread of its own, so that building
an engine never delays an answer to the kernel.

The syncer is not believed: what it brings is checked here, against files it cannot write.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import msgspec

from agents.endpoint import bundles, inquiry
from agents.endpoint.bundles import Loaded, UnusableBundle
from agents.endpoint.clock import TrustedClock
from agents.endpoint.custody import Custody
from agents.endpoint.modes import ModeKeeper
from agents.endpoint.orders import MAX_MESSAGE_BYTES, RESTARTED, STATE_UNUSABLE, Looked, Order, Reply, Report
from agents.endpoint.ruling import RuleBook
from agents.endpoint.store import Store
from agents.endpoint.users import Users
from agents.protocol.acceptance import Rejection

_SAVE_SECONDS = 5.0
_USERS_SECONDS = 60.0
_MAX_LINES, _MAX_LINE = 200, 500


class WorkerEnd:
    """Carries out orders, and keeps house: mode and clock are persisted here, off the hot path."""

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
        self._custody = Custody(store, clock)
        self._guarded = guarded_devices
        self._tried: Loaded | None = None
        self._saved = 0.0
        self._refreshed = time.monotonic()

    def start(self, on_start: Callable[[], None], users: Users) -> None:
        """Carry out orders in a thread."""
        threading.Thread(target=self._run, args=(on_start, users), name="link", daemon=True).start()

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
                message = self._end.recv(MAX_MESSAGE_BYTES)
                if not message:
                    return
                with contextlib.suppress(msgspec.DecodeError):
                    order = msgspec.msgpack.decode(message, type=Order)
                    self._end.send(msgspec.msgpack.encode(self._obey(order)))
            with contextlib.suppress(OSError):
                # A full disk delays what is persisted here; it must not end the talk with the syncer.
                self._keep_house(users)

    def _obey(self, order: Order) -> Reply:
        try:
            reply = self._carry_out(order)
        except (Rejection, UnusableBundle) as error:
            reply = Reply(order.number, error.code, error.detail[:2_000])
        except OSError as error:
            reply = Reply(order.number, STATE_UNUSABLE, str(error)[:2_000])
        return msgspec.structs.replace(reply, report=self._report())

    def _carry_out(self, order: Order) -> Reply:
        done = Reply(order.number)
        if order.kind == "nonce":
            return msgspec.structs.replace(done, nonce=self._custody.new_nonce())
        if order.kind == "root":
            self._custody.take_root(order.data)
        elif order.kind == "checkpoint":
            return msgspec.structs.replace(done, checkpoint=self._custody.take_checkpoint(order.data))
        elif order.kind == "examine":
            self._custody.examine(self._store.candidate())
        elif order.kind == "try":
            return self._try(order)
        elif order.kind == "use":
            self._use()
        elif order.kind in ("look", "explain"):
            return self._inquire(order)
        return done

    def _inquire(self, order: Order) -> Reply:
        try:
            if order.kind == "look":
                return Reply(order.number, looked=_look(order.path))
            lines = inquiry.explain(self._store, order.path, process=order.process)
        except OSError as error:
            return Reply(order.number, "unreadable_file", str(error)[:2_000])
        return Reply(order.number, lines=tuple(line[:_MAX_LINE] for line in lines[:_MAX_LINES]))

    def _try(self, order: Order) -> Reply:
        self._tried = None
        _, stored = self._custody.examine(self._store.candidate())
        loaded = bundles.load(self._store, stored)
        test = bundles.try_out(loaded, self._guarded, self._clock.now_ms())
        if test.failed:
            return Reply(order.number, "self_test_failed", ", ".join(test.failed), self_test=test)
        self._tried = loaded
        return Reply(order.number, self_test=test)

    def _use(self) -> None:
        """Persist the bundle tried last, then switch to it in one step."""
        tried, self._tried = self._tried, None
        if tried is None:
            raise Rejection(RESTARTED, "the worker was restarted in between")
        self._custody.keep(tried.stored)
        self._put_in_force(tried)

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
            checkin_seconds=loaded.manifest.settings.checkin_seconds if loaded else 0,
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


def _look(path: str) -> Looked:
    facts = inquiry.facts_of(path)
    return Looked(facts.path, facts.sha256, facts.created_by, facts.action_type)
