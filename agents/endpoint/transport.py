"""HTTP to the portal: signed, bounded, verified, never redirected. Knows no policy and keeps no state but its
sequence.

TLS is always verified. Plain http is for loopback, or for those who said `--insecure`.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.endpoint import VERSION
from agents.protocol import messages, signing
from agents.protocol.messages import MSGPACK, Problem, ProtocolError

API = "/agent/v1/"
MAX_ANSWER_BYTES = 1 << 20
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 20.0
_PIECE_BYTES = 64 << 10

A = TypeVar("A")


class Unreachable(Exception):
    """No usable answer: no connection, cut off, too large, or not the message expected."""


class AnswerTooLarge(Unreachable):
    """The answer is longer than it may be; it was cut off one byte past that."""


class RefusedByPortal(Exception):
    """An answer of 300 or more. `retry_after_seconds` as the portal asked, if it did."""

    def __init__(self, status: int, problem: Problem, retry_after_seconds: float | None) -> None:
        super().__init__(f"{status} {problem.code} {problem.detail}".strip())
        self.status = status
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds


class InsecureUrl(ValueError):
    """The portal's address would send secrets in the clear."""


def check_url(url: str, *, insecure: bool) -> str:
    """The base URL without a trailing slash. Raises InsecureUrl for http to another computer, unless allowed."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InsecureUrl(f"{url!r} is no http(s) address")
    if parts.scheme == "http" and not insecure and not _is_loopback(parts.hostname):
        raise InsecureUrl(f"{url} is not encrypted; use https, or --insecure if you know why")
    return url.rstrip("/")


class Transport:
    """Requests of one enrolled computer. Signed requests go one at a time: their sequence must arrive rising."""

    def __init__(
        self,
        base_url: str,
        *,
        key: Ed25519PrivateKey,
        sequence: Callable[[], int],
        ca_file: str = "",
        insecure: bool = False,
    ) -> None:
        self._base = check_url(base_url, insecure=insecure)
        self._insecure = insecure
        self._key = key
        self._sequence = sequence
        self._lock = threading.Lock()
        self._clock_offset = 0.0
        self._pool = urllib3.PoolManager(
            num_pools=4,
            maxsize=4,
            cert_reqs="CERT_REQUIRED",
            ca_certs=ca_file or None,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            retries=False,
        )

    def post(self, name: str, message: messages.Message, answer: type[A]) -> A:
        """Send one message, signed. Raises Unreachable or RefusedByPortal."""
        body = messages.encode(message)
        return self._decode(self._signed("POST", name, body, MAX_ANSWER_BYTES), answer)

    def tell(self, name: str, message: messages.Message) -> None:
        """Send one message, signed, whose answer says nothing beyond its status."""
        self._signed("POST", name, messages.encode(message), MAX_ANSWER_BYTES)

    def post_packed(self, name: str, body: bytes, answer: type[A]) -> A:
        """Send MessagePack that is already zstd-compressed, signed."""
        return self._decode(self._signed("POST", name, body, MAX_ANSWER_BYTES, encoding="zstd"), answer)

    def get(self, name: str, answer: type[A]) -> A:
        """Fetch one message, signed."""
        return self._decode(self._signed("GET", name, b"", MAX_ANSWER_BYTES), answer)

    def fetch(self, name: str, max_bytes: int) -> bytes:
        """Fetch bytes, signed; more than `max_bytes` are never read. Raises Unreachable when there are more."""
        return self._signed("GET", name, b"", max_bytes)

    def enroll(self, name: str, message: messages.Message | None, answer: type[A]) -> A:
        """One of the two requests before there is an identity: unsigned."""
        body = messages.encode(message) if message is not None else b""
        url = self._base + API + name
        return self._decode(self._send("POST", url, body, {"Content-Type": MSGPACK}, MAX_ANSWER_BYTES), answer)

    def poll(self, url: str, token: str, answer: type[A], seconds: float) -> A:
        """Wait at the gateway for a hint, for at most `seconds`. Not signed: the token opens this one door."""
        check_url(url, insecure=self._insecure)
        headers = {"Authorization": f"Bearer {token}", "Accept": MSGPACK}
        return self._decode(self._send("GET", url, b"", headers, MAX_ANSWER_BYTES, seconds), answer)

    def _signed(self, method: str, name: str, body: bytes, max_bytes: int, encoding: str = "") -> bytes:
        with self._lock:
            try:
                return self._sign_and_send(method, name, body, max_bytes, encoding)
            except RefusedByPortal as error:
                if error.status != 401 or error.problem.code != "clock_skew" or not error.problem.server_time:
                    raise
                # The portal told its time because our signature was right: use it for signing, once.
                self._clock_offset = error.problem.server_time - time.time()
                return self._sign_and_send(method, name, body, max_bytes, encoding)

    def _sign_and_send(self, method: str, name: str, body: bytes, max_bytes: int, encoding: str) -> bytes:
        url = self._base + API + name
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = signing.sign_request(
            self._key,
            method=method,
            target=target,
            body=body,
            created=int(time.time() + self._clock_offset),
            sequence=self._sequence(),
        )
        if body:
            headers["Content-Type"] = MSGPACK
        if encoding:
            headers["Content-Encoding"] = encoding
        return self._send(method, url, body, headers, max_bytes)

    def _send(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: dict[str, str],
        max_bytes: int,
        read_seconds: float = _READ_SECONDS,
    ) -> bytes:
        headers = {"User-Agent": f"portcullis-agent/{VERSION}", "Accept": MSGPACK, **headers}
        headers["Accept-Encoding"] = "identity"
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds)
        try:
            answer = self._pool.request(
                method,
                url,
                body=body or None,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=timeout,
            )
            try:
                content = _read_bounded(answer, max_bytes if answer.status < 300 else MAX_ANSWER_BYTES)
            finally:
                answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(str(error)) from error
        if answer.status >= 300:
            raise _refusal(answer.status, answer.headers, content)
        return content

    def _decode(self, content: bytes, kind: type[A]) -> A:
        try:
            return messages.decode(kind, content, MSGPACK)
        except ProtocolError as error:
            raise Unreachable(f"not the answer expected: {error}") from error


def _read_bounded(answer: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    pieces, length = [], 0
    while piece := answer.read(min(_PIECE_BYTES, max_bytes + 1 - length)):
        length += len(piece)
        pieces.append(piece)
        if length > max_bytes:
            answer.close()
            raise AnswerTooLarge(f"the answer is over {max_bytes} bytes")
    return b"".join(pieces)


def _refusal(status: int, headers: urllib3.HTTPHeaderDict, content: bytes) -> RefusedByPortal:
    content_type = messages.media_type(headers.get("Content-Type", ""))
    kind = messages.JSON if "json" in content_type else MSGPACK
    try:
        problem = messages.decode(Problem, content, kind)
    except ProtocolError:
        problem = Problem(code="unreadable", status=status)
    retry_after = problem.retry_after_seconds
    if retry_after is None:
        retry_after = _seconds(headers.get("Retry-After", ""))
    return RefusedByPortal(status, problem, retry_after)


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
