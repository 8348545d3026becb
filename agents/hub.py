"""Who listens in this gateway process, and the one Valkey subscription that feeds them all. No Django."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

import redis.asyncio as valkey
from redis import RedisError

from agents.protocol.messages import StreamHint

REVISIONS = "portcullis:revision"
WAKE = "portcullis:wake"
REVOKED = "portcullis:revoked"
KEEP_ALIVE_SECONDS = 25.0
_CONNECTIONS = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_NOTHING = StreamHint()

log = logging.getLogger(__name__)


class Listener:
    """One connected agent. Slots: ten thousand of them live in one process."""

    __slots__ = ("_news", "computer", "hint", "key_id")

    def __init__(self, computer: str, key_id: str) -> None:
        self.computer = computer
        self.key_id = key_id
        self.hint = _NOTHING
        self._news: asyncio.Future[None] | None = None

    def news(self) -> asyncio.Future[None]:
        """Done as soon as something is told after this call."""
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
        return self._news

    def tell(self, hint: StreamHint | None = None) -> None:
        if hint is not None:
            self.hint = hint
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class Hub:
    """Listeners by computer. `start` is safe to call often; the subscription reconnects by itself for ever."""

    def __init__(self, redis_url: str) -> None:
        url = redis_url.replace("redis+socket://", "unix://")
        pool = valkey.BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=5, socket_connect_timeout=2, socket_timeout=5
        )
        self._valkey: Any = valkey.Redis(connection_pool=pool)
        self._subscription: Any = valkey.Redis.from_url(url, socket_connect_timeout=2)
        self._listeners: dict[str, set[Listener]] = {}
        self._revoked: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self.is_connected = False

    @property
    def count(self) -> int:
        return sum(len(some) for some in self._listeners.values())

    def start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen_for_ever())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for listener in [one for some in self._listeners.values() for one in some]:
            listener.tell()
        await self._valkey.aclose()
        await self._subscription.aclose()

    def join(self, computer: str, key_id: str) -> Listener:
        listener = Listener(computer, key_id)
        self._listeners.setdefault(computer, set()).add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        some = self._listeners.get(listener.computer)
        if some is not None:
            some.discard(listener)
            if not some:
                del self._listeners[listener.computer]

    def is_revoked(self, key_id: str) -> bool:
        return key_id in self._revoked

    async def refresh(self, listener: Listener) -> None:
        """Take the revision that Valkey holds now: covers every message that was lost before."""
        try:
            found = await self._valkey.hget(REVISIONS, listener.computer)
        except (RedisError, OSError):
            return
        hint = _hint(found or b"")
        if hint is not None and hint.revision >= listener.hint.revision:
            listener.hint = hint

    async def _listen_for_ever(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with self._subscription.pubsub() as channel:
                    await channel.subscribe(WAKE, REVOKED)
                    await self._catch_up()
                    self.is_connected, pause = True, _FIRST_PAUSE
                    await self._listen(channel)
            except (RedisError, OSError) as error:
                log.warning("gateway.valkey_unavailable: %s", error)
            self.is_connected = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _listen(self, channel: Any) -> None:
        while True:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=KEEP_ALIVE_SECONDS)
            if message is None:
                await channel.ping()
            elif message["channel"] == WAKE.encode():
                self._wake(message["data"])
            else:
                self._revoke(message["data"].decode("ascii", "replace"), int(time.time()) + 3600)

    async def _catch_up(self) -> None:
        """After (re)connecting: whose keys were banned, and what every listener missed."""
        now = int(time.time())
        self._revoked = {key: until for key, until in self._revoked.items() if until > now}
        for key, until in (await self._valkey.hgetall(REVOKED)).items():
            if int(until) > now:
                self._revoke(key.decode("ascii", "replace"), int(until))
        computers = list(self._listeners)
        for start in range(0, len(computers), 500):
            some = computers[start : start + 500]
            for computer, found in zip(some, await self._valkey.hmget(REVISIONS, some), strict=True):
                self._tell(computer, _hint(found or b""))

    def _wake(self, data: bytes) -> None:
        computer, _, rest = data.partition(b":")
        self._tell(computer.decode("ascii", "replace"), _hint(rest))

    def _tell(self, computer: str, hint: StreamHint | None) -> None:
        for listener in self._listeners.get(computer, ()):
            if hint is not None and hint != listener.hint and hint.revision >= listener.hint.revision:
                listener.tell(hint)

    def _revoke(self, key_id: str, until: int) -> None:
        self._revoked[key_id] = until
        for some in list(self._listeners.values()):
            for listener in some:
                if listener.key_id == key_id:
                    listener.tell()


def _hint(data: bytes) -> StreamHint | None:
    """`<revision>:<mode>` as a hint; None when it is anything else."""
    revision, _, mode = data.partition(b":")
    if not revision.isdigit() or len(revision) > 19:
        return None
    return StreamHint(revision=int(revision), mode=mode.decode("ascii", "replace"))
