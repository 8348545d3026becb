"""The short-lived token that opens the gateway's stream: signed by the web process, checked offline by the gateway.

Text `<payload>.<signature>`, both base64url without padding. It proves nothing anywhere else.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol import signing

LIFETIME_SECONDS = 900
MAX_TEXT = 1_024
_CONTEXT = b"portcullis-stream-v1\n"


class StreamToken(msgspec.Struct, frozen=True, array_like=True):
    """Whose stream, by which key, until when (unix seconds)."""

    computer: str
    key_id: str
    expires_at: int


class BadToken(ValueError):
    """Not a token of ours, or it has expired."""


def sign(token: StreamToken, key: Ed25519PrivateKey) -> str:
    payload = msgspec.msgpack.encode(token)
    return f"{_text(payload)}.{_text(key.sign(_CONTEXT + payload))}"


def verify(text: str, public_key: bytes, now: int) -> StreamToken:
    """The token in `text`. Raises BadToken."""
    head, dot, tail = text.partition(".")
    if not dot or len(text) > MAX_TEXT:
        raise BadToken("not a token")
    try:
        payload, signature = _bytes(head), _bytes(tail)
    except (binascii.Error, ValueError) as error:
        raise BadToken("not a token") from error
    if not signing.verify(public_key, signature, _CONTEXT + payload):
        raise BadToken("not signed by this portal")
    token = msgspec.msgpack.decode(payload, type=StreamToken)
    if token.expires_at <= now:
        raise BadToken("expired")
    return token


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
