"""What syncer and worker say to each other over their socket pair, and the syncer's end of it."""

from __future__ import annotations

import socket
import threading
import time
from typing import Literal

import msgspec

from agents.protocol.manifest import Checkpoint
from agents.protocol.messages import Mode, SelfTest

MAX_MESSAGE_BYTES = 128 << 10
_PATIENCE_SECONDS = 60.0
_SEND_SECONDS = 5.0

OrderKind = Literal["report", "nonce", "root", "checkpoint", "examine", "try", "use", "look", "explain"]


class Order(msgspec.Struct, frozen=True):
    """What the syncer wants. `number` comes back in the reply; `data` is an envelope, `path` and `process` name
    files.
    """

    kind: OrderKind
    number: int
    data: bytes = b""
    path: str = ""
    process: str = ""


class Report(msgspec.Struct, frozen=True):
    """How the worker is. `checkin_seconds` is the bundle's own interval, 0 without a bundle."""

    mode: Mode = "secured"
    mode_ends_at: int | None = None
    is_enforcing: bool = False
    is_broken: bool = False
    clock_set_back: bool = False
    epoch: int = 0
    version: int = 0
    sha256: str = ""
    checkin_seconds: int = 0


class Looked(msgspec.Struct, frozen=True):
    """The facts of a file somebody asks about."""

    path: str
    sha256: str
    created_by: str
    action_type: str


class Reply(msgspec.Struct, frozen=True):
    """The worker's answer. `code` says why not, and is empty when all is well."""

    number: int
    code: str = ""
    detail: str = ""
    nonce: str = ""
    checkpoint: Checkpoint | None = None
    self_test: SelfTest = SelfTest()
    report: Report = Report()
    looked: Looked | None = None
    lines: tuple[str, ...] = ()


class LinkError(RuntimeError):
    """The worker did not answer in time, not at all, or cannot just now: try again later."""


RESTARTED, STATE_UNUSABLE = "restarted", "state_unusable"


class SyncerEnd:
    """The syncer's end: one order at a time, whoever the worker is by now."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._number = int(time.monotonic() * 1000)
        self._lock = threading.Lock()

    def ask(self, kind: OrderKind, data: bytes = b"", *, path: str = "", process: str = "") -> Reply:
        """Send one order and wait for its reply. Raises LinkError."""
        with self._lock:
            self._number += 1
            order = Order(kind, self._number, data, path, process)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            try:
                self._end.settimeout(_SEND_SECONDS)
                self._end.send(msgspec.msgpack.encode(order))
                while True:
                    self._end.settimeout(max(0.01, deadline - time.monotonic()))
                    reply = msgspec.msgpack.decode(self._end.recv(MAX_MESSAGE_BYTES), type=Reply)
                    # Replies to orders given up on may still be under way.
                    if reply.number == self._number:
                        break
            except (OSError, msgspec.DecodeError) as error:
                raise LinkError(f"the worker does not answer: {error}") from error
        if reply.code in (RESTARTED, STATE_UNUSABLE):
            raise LinkError(reply.detail)
        return reply
