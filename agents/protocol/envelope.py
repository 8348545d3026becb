"""Signed envelopes in the manner of DSSE: the exact bytes are signed together with their type, and never
re-encoded.

An envelope is MessagePack `{payload_type, payload, signatures: [{key_id, sig}]}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol import signing
from agents.protocol.manifest import PublicKey

MAX_SIGNATURES = 8
OVERHEAD_BYTES = 2_048


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signature over the pre-authentication encoding."""

    key_id: str
    sig: bytes


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Payload, its type, and who signed both."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


class EnvelopeError(ValueError):
    """`code`: too_large, malformed, unknown_payload_type, no_signature, duplicate_signature, unknown_key,
    bad_signature.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 PAE: the bytes that are signed. Lengths make type and payload inseparable."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, keys: Iterable[Ed25519PrivateKey]) -> bytes:
    """An envelope over `payload`, signed by each key."""
    message = pre_authentication(payload_type, payload)
    signatures = tuple(Signature(signing.key_id(signing.public_bytes(key)), key.sign(message)) for key in keys)
    return msgspec.msgpack.encode(Envelope(payload_type, payload, signatures))


def key_table(keys: Iterable[PublicKey]) -> dict[str, bytes]:
    """Key id -> raw public key. Raises EnvelopeError (malformed) when a key is not base64 of 32 bytes."""
    table: dict[str, bytes] = {}
    for key in keys:
        try:
            raw = signing.unb64(key.public)
        except ValueError:
            raise EnvelopeError("malformed", f"public key {key.id}") from None
        if len(raw) != 32:
            raise EnvelopeError("malformed", f"public key {key.id}")
        table[key.id] = raw
    return table


def open_envelope(data: bytes, *, payload_type: str, keys: Mapping[str, bytes], max_bytes: int) -> bytes:
    """The payload, once size, type and every signature are right. Raises EnvelopeError.

    The size is checked before anything is parsed. Strict on purpose: at least one signature, none by a key
    that is not in `keys`, no key twice, and not one of them wrong.
    """
    envelope, signers = read_signed(data, payload_type=payload_type, keys=keys, max_bytes=max_bytes)
    if not signers:
        raise EnvelopeError("no_signature")
    return envelope.payload


def read_signed(
    data: bytes, *, payload_type: str, keys: Mapping[str, bytes], max_bytes: int
) -> tuple[Envelope, frozenset[str]]:
    """The envelope and the ids of the keys that signed it, all of them verified. Raises EnvelopeError."""
    if len(data) > max_bytes:
        raise EnvelopeError("too_large", f"{len(data)} bytes, at most {max_bytes}")
    try:
        envelope = msgspec.msgpack.decode(data, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeError("malformed", str(error)) from error
    if envelope.payload_type != payload_type:
        raise EnvelopeError("unknown_payload_type", envelope.payload_type[:100])
    if len(envelope.signatures) > MAX_SIGNATURES:
        raise EnvelopeError("malformed", "too many signatures")
    return envelope, _verified_signers(envelope, keys)


def _verified_signers(envelope: Envelope, keys: Mapping[str, bytes]) -> frozenset[str]:
    message = pre_authentication(envelope.payload_type, envelope.payload)
    seen: set[str] = set()
    for signature in envelope.signatures:
        if signature.key_id in seen:
            raise EnvelopeError("duplicate_signature", signature.key_id[:64])
        seen.add(signature.key_id)
        public_key = keys.get(signature.key_id)
        if public_key is None:
            raise EnvelopeError("unknown_key", signature.key_id[:64])
        if not signing.verify(public_key, signature.sig, message):
            raise EnvelopeError("bad_signature", signature.key_id[:64])
    return frozenset(seen)
