"""The signed feed: a whole catalogue as one JSON file that may come over any road.

`{"payload_type", "payload", "signatures": [{"key_id", "sig"}]}`; payload and sig are base64. What is signed is the DSSE
pre-authentication encoding of the exact payload bytes, with Ed25519. The payload is a `Feed` as JSON. A feed counts
once a key that this installation trusts (setting CATALOGUE_KEYS) has signed it; docs/catalogue.md tells how to sign.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from policies.builtin.schema import CatalogueError, Entry, check_entries

FEED_TYPE = "application/vnd.portcullis.catalogue+json"
MOST_BYTES = 20 << 20
_MOST_SIGNATURES = 8


class Feed(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A catalogue on its way. `serial` only rises; times are unix seconds."""

    format: Literal[1] = 1
    serial: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    issued_at: Annotated[int, msgspec.Meta(ge=0, le=2**40)]
    expires_at: Annotated[int, msgspec.Meta(ge=0, le=2**40)]
    entries: Annotated[list[Entry], msgspec.Meta(min_length=1, max_length=5_000)]


class _Signature(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    key_id: Annotated[str, msgspec.Meta(max_length=64)]
    sig: bytes


class _Signed(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    payload_type: str
    payload: bytes
    signatures: Annotated[list[_Signature], msgspec.Meta(min_length=1, max_length=_MOST_SIGNATURES)]


def sign_feed(feed: Feed, keys: Iterable[Ed25519PrivateKey]) -> bytes:
    """The feed as a file, signed by each key."""
    payload = msgspec.json.encode(feed)
    message = _pre_authentication(payload)
    signatures = [_Signature(key_id(key.public_key().public_bytes_raw()), key.sign(message)) for key in keys]
    return msgspec.json.format(msgspec.json.encode(_Signed(FEED_TYPE, payload, signatures)), indent=1)


def open_feed(data: bytes, trusted: Mapping[str, bytes], *, now: int) -> tuple[Feed, str]:
    """The feed and the id of the trusted key that signed it. `trusted`: key id -> raw public key; `now`: unix seconds.

    Nothing of the payload is looked at before a trusted signature holds. Raises CatalogueError.
    """
    if len(data) > MOST_BYTES:
        raise CatalogueError(f"A feed has {MOST_BYTES >> 20} MB at most.")
    try:
        signed = msgspec.json.decode(data, type=_Signed)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise CatalogueError(f"This is no signed feed: {error}") from error
    if signed.payload_type != FEED_TYPE:
        raise CatalogueError("This is signed, but it is no catalogue.")
    signer = _signer(signed, trusted)
    try:
        feed = msgspec.json.decode(signed.payload, type=Feed)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise CatalogueError(f"The feed does not fit the schema: {error}") from error
    if feed.issued_at > now + 86_400:
        raise CatalogueError("The feed is from the future. Check the clock of this server.")
    if feed.expires_at <= now:
        raise CatalogueError("The feed has expired. Fetch a newer one.")
    check_entries(feed.entries)
    return feed, signer


def trusted_keys(texts: Iterable[str]) -> dict[str, bytes]:
    """Key id -> raw key, of public keys in base64. Raises CatalogueError for one that is none."""
    found = {}
    for text in texts:
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise CatalogueError(f"CATALOGUE_KEYS: {text[:20]}… is not base64.") from error
        if len(raw) != 32:
            raise CatalogueError(f"CATALOGUE_KEYS: {text[:20]}… is no Ed25519 public key.")
        found[key_id(raw)] = raw
    return found


def key_id(raw_public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(raw_public).hexdigest()[:16]


def _signer(signed: _Signed, trusted: Mapping[str, bytes]) -> str:
    message = _pre_authentication(signed.payload)
    for signature in signed.signatures:
        raw = trusted.get(signature.key_id)
        if raw is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(raw).verify(signature.sig, message)
        except InvalidSignature as error:
            raise CatalogueError(f"The signature of the key {signature.key_id} does not hold.") from error
        return signature.key_id
    raise CatalogueError("No key that is trusted here has signed this feed (setting CATALOGUE_KEYS).")


def _pre_authentication(payload: bytes) -> bytes:
    kind = FEED_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
