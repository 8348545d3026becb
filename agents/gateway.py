"""The gateway: holds the idle agents' streams, outside of Django and far from PostgreSQL. Raw ASGI.

`GET /agent/v1/stream` with `Authorization: Bearer <stream token>`: server-sent events when asked for
(`Accept: text/event-stream`), else a long poll (`?after=<revision>` answers at once when something newer is known).
What it says are hints; what counts is signed and fetched. One Valkey subscription per process feeds all agents.
Without Valkey the agents stay connected and hear nothing until it is back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from agents import keys, stream_token
from agents.hub import KEEP_ALIVE_SECONDS, Hub, Listener
from agents.protocol import signing
from agents.protocol.messages import MSGPACK, Problem, StreamHint, encode
from agents.stream_token import BadToken, StreamToken

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STREAM_PATH = "/agent/v1/stream"
JSON_TYPE = "application/json"
SSE_TYPE = "text/event-stream"

log = logging.getLogger(__name__)


class Gateway:
    """The ASGI application. `redis_url` and `public_key` come from the environment when not given."""

    def __init__(self, *, redis_url: str = "", public_key: bytes = b"") -> None:
        self._redis_url = redis_url
        self._public_key = public_key
        self._hub: Hub | None = None

    @property
    def hub(self) -> Hub:
        if self._hub is None:
            self._hub = Hub(self._redis_url or os.environ["REDIS_URL"])
        return self._hub

    @property
    def public_key(self) -> bytes:
        if not self._public_key:
            self._public_key = signing.unb64(keys.public_key("agent-token").public)
        return self._public_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                _ = self.public_key  # without a key nobody could be let in: fail now, with the reason
                self.hub.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.hub.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            await self._health(send)
        elif scope["path"] != STREAM_PATH:
            await _refuse(send, 404, "not_found")
        elif scope["method"] != "GET":
            await _refuse(send, 405, "wrong_method")
        else:
            await self._stream(scope, receive, send)

    async def _health(self, send: Send) -> None:
        """200 while this process answers; the body says whether Valkey does too."""
        state = "ok" if self.hub.is_connected else "valkey unavailable"
        await _answer(send, 200, b"text/plain", f"{state}\n{self.hub.count} streams\n".encode())

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            token = self._token(headers)
        except BadToken:
            await _refuse(send, 401, "bad_stream_token")
            return
        if self.hub.is_revoked(token.key_id):
            await _refuse(send, 403, "banned")
            return
        self.hub.start()
        listener = self.hub.join(token.computer, token.key_id)
        try:
            if SSE_TYPE.encode() in headers.get(b"accept", b""):
                await _send_events(self.hub, listener, token, receive, send)
            else:
                await _long_poll(self.hub, listener, scope, headers, receive, send)
        finally:
            self.hub.leave(listener)

    def _token(self, headers: dict[bytes, bytes]) -> StreamToken:
        kind, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            raise BadToken("no token")
        return stream_token.verify(text.strip(), self.public_key, int(time.time()))


async def _send_events(hub: Hub, listener: Listener, token: StreamToken, receive: Receive, send: Send) -> None:
    """A hint on connect, with every keep-alive, and at once when something changed; until the token expires."""
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", SSE_TYPE.encode()),
                (b"cache-control", b"no-store"),
                (b"x-accel-buffering", b"no"),
            ],
        }
    )
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await hub.refresh(listener)
        while not gone.done() and time.time() < token.expires_at and not hub.is_revoked(listener.key_id):
            await send({"type": "http.response.body", "body": _event(listener.hint), "more_body": True})
            news = listener.news()
            await asyncio.wait((news, gone), timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not news.done():
                await hub.refresh(listener)
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    except asyncio.CancelledError:  # the server is being stopped: end the stream properly, without a word in the log
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _long_poll(
    hub: Hub, listener: Listener, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
) -> None:
    """One hint: at once when newer than `after`, else when something changes or the keep-alive is due."""
    after = parse_qs(scope["query_string"].decode("latin-1")).get("after", ["0"])[0]
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await hub.refresh(listener)
        if listener.hint.revision <= (int(after) if after.isdigit() and len(after) < 19 else 0):
            news = listener.news()
            await asyncio.wait((news, gone), timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:  # the server is being stopped: answer now what is known
        is_gone = False
    else:
        is_gone = gone.done()
    finally:
        gone.cancel()
    if is_gone:
        return
    if hub.is_revoked(listener.key_id):
        await _refuse(send, 403, "banned")
        return
    kind = MSGPACK if MSGPACK.encode() in headers.get(b"accept", b"") else JSON_TYPE
    await _answer(send, 200, kind.encode(), encode(listener.hint, kind))


def _event(hint: StreamHint) -> bytes:
    return b"data: " + encode(hint, JSON_TYPE) + b"\n\n"


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, status: int, code: str) -> None:
    problem = Problem(code=code, status=status, server_time=int(time.time()))
    await _answer(send, status, JSON_TYPE.encode(), encode(problem, JSON_TYPE))


async def _answer(send: Send, status: int, content_type: bytes, body: bytes) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = Gateway()
