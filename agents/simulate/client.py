"""Signed requests of one pretend computer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol import messages, signing

M = TypeVar("M")
BASE = "/agent/v1/"
COMPRESS_FROM_BYTES = 1_024
LONGEST_WAIT_SECONDS = 60.0


class PortalUnreachable(Exception):
    """No answer that can be used; `retry_after` is in seconds, None when the portal did not say."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class PortalRefusal(Exception):
    """The portal answered no; `status` is the HTTP status and `code` the portal's word for it."""

    def __init__(self, status: int, code: str, detail: str = "") -> None:
        super().__init__(f"{status} {code} {detail}".strip())
        self.status = status
        self.code = code


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str


class Client:
    """One computer's way to the portal. Requests go one after the other, each with a higher sequence."""

    def __init__(self, session: aiohttp.ClientSession, portal_url: str, key: Ed25519PrivateKey) -> None:
        self.session = session
        self.portal_url = portal_url.rstrip("/")
        self.key = key
        self.clock_offset_s = 0.0
        self._sequence = 0
        self._turn = asyncio.Lock()

    def now(self) -> float:
        """Unix seconds of this computer's own clock."""
        return time.time() + self.clock_offset_s

    async def send(self, method: str, name: str, body: bytes = b"", *, signed: bool = True) -> Answer:
        """One exchange; a request whose clock was wrong is signed again, once, with the portal's time.

        Raises PortalUnreachable (also for 429 and 5xx) and PortalRefusal (any other status from 400).
        """
        async with self._turn:
            answer = await self._exchange(method, name, body, signed)
            problem = self._problem(answer)
            if problem is not None and problem.code == "clock_skew" and problem.server_time:
                self.clock_offset_s = problem.server_time - time.time()
                answer = await self._exchange(method, name, body, signed)
                problem = self._problem(answer)
        if problem is not None:
            raise PortalRefusal(answer.status, problem.code, problem.detail)
        return answer

    async def call(self, name: str, message: Any, kind: type[M], *, signed: bool = True) -> M:
        """POST a message and read the answer as `kind`."""
        answer = await self.send("POST", name, messages.encode(message), signed=signed)
        return messages.decode(kind, answer.body, answer.content_type or messages.MSGPACK)

    async def _exchange(self, method: str, name: str, body: bytes, signed: bool) -> Answer:
        headers = {"Content-Type": messages.MSGPACK, "Accept": messages.MSGPACK}
        if len(body) >= COMPRESS_FROM_BYTES:
            body = zstandard.compress(body)
            headers["Content-Encoding"] = "zstd"
        if signed:
            self._sequence = max(self._sequence + 1, time.time_ns() // 1000)
            headers |= signing.sign_request(
                self.key,
                method=method,
                target=BASE + name,
                body=body,
                created=int(self.now()),
                sequence=self._sequence,
            )
        try:
            async with self.session.request(
                method,
                self.portal_url + BASE + name,
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                answer = Answer(response.status, await response.read(), response.content_type)
                after = response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PortalUnreachable(str(error) or type(error).__name__) from error
        if answer.status == 429 or answer.status >= 500:
            raise PortalUnreachable(f"HTTP {answer.status}", float(after) if after.isdecimal() else None)
        return answer

    def _problem(self, answer: Answer) -> messages.Problem | None:
        if answer.status < 400:
            return None
        try:
            return messages.decode(messages.Problem, answer.body, answer.content_type or messages.MSGPACK)
        except messages.ProtocolError:
            return messages.Problem(code="http_error", detail=str(answer.status), status=answer.status)
