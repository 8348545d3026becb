"""The door for people at this computer: a unix socket on which anybody may ask for a file, and root may do more.

One JSON object in, one out. Who asks is what the kernel says, never what the message says.
"""

from __future__ import annotations

import contextlib
import pwd
import socket
import struct
import threading
import time
from typing import Literal

import msgspec

from agents.endpoint.orders import LinkError, SyncerEnd
from agents.endpoint.store import Store
from agents.endpoint.transport import RefusedByPortal, Transport, Unreachable
from agents.protocol.messages import RequestAnswer, RequestMessage

_MAX_BYTES = 64 << 10
_CREDENTIALS = struct.Struct("=iii")
_SECONDS = 30.0


class Wish(msgspec.Struct, frozen=True):
    """What somebody wants: to ask for a file, to hear about a request, to explain a decision, to check in now."""

    do: Literal["request", "answer", "check", "sync"]
    path: str = ""
    reason: str = ""
    process: str = ""
    id: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """`problem` says why not; empty when it was done. `lines` are for people."""

    problem: str = ""
    id: str = ""
    status: str = ""
    lines: tuple[str, ...] = ()


class Control:
    """Listens in a thread of the syncer."""

    def __init__(self, store: Store, transport: Transport, worker: SyncerEnd, wake: threading.Event) -> None:
        self._store = store
        self._transport = transport
        self._worker = worker
        self._wake = wake

    def start(self) -> None:
        """Open the socket and listen."""
        path = self._store.socket
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(16)
        threading.Thread(target=self._listen, args=(listener,), name="control", daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5.0)
                raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
                _, uid, _ = _CREDENTIALS.unpack(raw)
                connection.sendall(msgspec.json.encode(self._grant(_receive(connection), uid)))

    def _grant(self, message: bytes, uid: int) -> Outcome:
        try:
            wish = msgspec.json.decode(message, type=Wish)
            if wish.do == "request":
                return self._request(wish, uid)
            if wish.do == "answer":
                return _told(self._transport.get(f"requests/{wish.id[:64]}", RequestAnswer))
            if uid != 0:
                return Outcome(problem="only root may do that")
            if wish.do == "sync":
                self._wake.set()
                return Outcome()
            reply = self._worker.ask("explain", path=wish.path, process=wish.process)
            return Outcome(problem=f"{reply.code} {reply.detail}".strip(), lines=reply.lines)
        except msgspec.DecodeError as error:
            return Outcome(problem=f"not understood: {error}")
        except (Unreachable, RefusedByPortal, LinkError) as error:
            return Outcome(problem=str(error))

    def _request(self, wish: Wish, uid: int) -> Outcome:
        reply = self._worker.ask("look", path=wish.path)
        looked = reply.looked
        if looked is None:
            return Outcome(problem=reply.detail or reply.code)
        message = RequestMessage(
            path=looked.path,
            sha256=looked.sha256,
            process=wish.process[:4_096],
            created_by=looked.created_by,
            user=_user(uid),
            action_type=looked.action_type,
            reason=wish.reason[:2_000],
            occurred_at_ms=int(time.time() * 1000),
        )
        return _told(self._transport.post("requests", message, RequestAnswer))


def ask(store: Store, wish: Wish) -> Outcome:
    """Ask the running agent. Raises OSError when none runs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(str(store.socket))
        connection.sendall(msgspec.json.encode(wish))
        connection.shutdown(socket.SHUT_WR)
        return msgspec.json.decode(_receive(connection), type=Outcome)


def _receive(connection: socket.socket) -> bytes:
    pieces, length = [], 0
    while length <= _MAX_BYTES and (piece := connection.recv(8_192)):
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


def _told(answer: RequestAnswer) -> Outcome:
    return Outcome(id=answer.id, status=answer.status, lines=(answer.message,) if answer.message else ())


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
