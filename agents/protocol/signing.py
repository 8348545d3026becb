"""Ed25519 keys, fingerprints, and the signature every agent request carries.

Pure: it checks one request against one public key. That sequences only rise, and whose key it is, is for the
portal.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY = "Portcullis-Key"
CREATED = "Portcullis-Created"
SEQUENCE = "Portcullis-Sequence"
DIGEST = "Content-Digest"
SIGNATURE = "Portcullis-Signature"
MAX_SKEW_SECONDS = 300
_MAX_SEQUENCE = 2**63 - 1
# The encodings, sign bit aside, of every point of edwards25519 whose order divides 8 (RFC 8032, 5.1; two of them not
# canonical).
_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


class SignatureError(ValueError):
    """A request that is not signed as it must be.

    `code`: missing_header, malformed_header, digest_mismatch, clock_skew, bad_signature.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class SignedHeaders:
    """What the headers of one request say, before anything of it is believed."""

    key_id: str
    created: int
    sequence: int
    digest: str
    signature: bytes


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32 raw bytes of the public half."""
    return key.public_key().public_bytes_raw()


def fingerprint(public_key: bytes) -> str:
    """SHA-256 of the raw public key, hex: what a manifest names as its one reader."""
    return hashlib.sha256(public_key).hexdigest()


def key_id(public_key: bytes) -> str:
    """The first 32 hex digits of the fingerprint: how requests and signatures name a key."""
    return fingerprint(public_key)[:32]


def b64(raw: bytes) -> str:
    """Standard base64 text."""
    return base64.b64encode(raw).decode("ascii")


def unb64(text: str) -> bytes:
    """Bytes of strict base64 text. Raises ValueError on anything else."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64") from error


def content_digest(body: bytes) -> str:
    """The Content-Digest header of a body, as it is sent (after compression)."""
    return f"sha-256=:{b64(hashlib.sha256(body).digest())}:"


def signed_bytes(method: str, target: str, digest: str, created: int, sequence: int, key: str) -> bytes:
    """The exact bytes a request signature covers; `target` is path and query as sent."""
    return f"portcullis-agent-v1\n{method.upper()}\n{target}\n{digest}\n{created}\n{sequence}\n{key}".encode()


def enroll_proof(nonce: str, machine_id: str, public_key: str) -> bytes:
    """The exact bytes whose signature proves that the enrolling computer holds the private key."""
    return f"portcullis-enroll-v1\n{nonce}\n{machine_id}\n{public_key}".encode()


def sign_request(
    key: Ed25519PrivateKey, *, method: str, target: str, body: bytes, created: int, sequence: int
) -> dict[str, str]:
    """The headers to add to one request. `sequence` must be higher than in any request before it."""
    digest = content_digest(body)
    name = key_id(public_bytes(key))
    signature = key.sign(signed_bytes(method, target, digest, created, sequence, name))
    return {
        KEY: name,
        CREATED: str(created),
        SEQUENCE: str(sequence),
        DIGEST: digest,
        SIGNATURE: b64(signature),
    }


def read_headers(headers: Mapping[str, str]) -> SignedHeaders:
    """The signing headers of a request, names in any case. Raises SignatureError."""
    found = {name.lower(): value for name, value in headers.items()}
    try:
        key, created, sequence, digest, signature = (
            found[name.lower()] for name in (KEY, CREATED, SEQUENCE, DIGEST, SIGNATURE)
        )
    except KeyError:
        raise SignatureError("missing_header") from None
    try:
        return SignedHeaders(key, _decimal(created), _decimal(sequence), digest, unb64(signature))
    except ValueError:
        raise SignatureError("malformed_header") from None


def verify_request(
    headers: SignedHeaders, public_key: bytes, *, method: str, target: str, body: bytes, now: int
) -> None:
    """Check body, clock and signature of one request. Raises SignatureError; the signature is checked before
    the clock, so that only the key's owner learns the server's time from a `clock_skew`.
    """
    if headers.digest != content_digest(body):
        raise SignatureError("digest_mismatch")
    message = signed_bytes(method, target, headers.digest, headers.created, headers.sequence, headers.key_id)
    if not verify(public_key, headers.signature, message):
        raise SignatureError("bad_signature")
    if abs(headers.created - now) > MAX_SKEW_SECONDS:
        raise SignatureError("clock_skew")


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is by that key over that message; an unusable key is simply a no.

    A point of small order is unusable: under it, a signature made without any private key verifies.
    """
    if public_key[:31] + bytes([public_key[31] & 0x7F] if len(public_key) == 32 else []) in _SMALL_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decimal(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _MAX_SEQUENCE:
        raise ValueError("not a number")
    return int(text)
