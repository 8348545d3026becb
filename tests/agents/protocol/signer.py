"""A portal's signing side with keys from fixed seeds, so that golden files and tests agree on every byte."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol import envelope, signing
from agents.protocol.acceptance import AgentState
from agents.protocol.manifest import (
    CHECKPOINT_TYPE,
    MANIFEST_TYPE,
    Checkpoint,
    Layer,
    Manifest,
    ManifestPlace,
    PublicKey,
    TrustRoot,
)

NOW = 1_790_000_000
ORGANIZATION = "01890000-0000-7000-8000-0000000000aa"
COMPUTER = "01890000-0000-7000-8000-0000000000c1"
GROUP = "01890000-0000-7000-8000-0000000000b1"
NONCE = "bm9uY2Ugb2YgdGhpcyBjaGVjay1pbg=="


def key(seed: str) -> Ed25519PrivateKey:
    """The Ed25519 key that belongs to a word."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


def public(private: Ed25519PrivateKey) -> PublicKey:
    raw = signing.public_bytes(private)
    return PublicKey(id=signing.key_id(raw), public=signing.b64(raw))


AGENT = key("agent")
BUNDLE = key("bundle")
CHECKPOINT = key("checkpoint")
ROOT = key("root")
STRANGER = key("stranger")
FINGERPRINT = signing.fingerprint(signing.public_bytes(AGENT))
TRUST = TrustRoot(
    epoch=1,
    bundle_keys=(public(BUNDLE),),
    checkpoint_keys=(public(CHECKPOINT),),
    root_keys=(public(ROOT),),
)
STATE = AgentState(organization=ORGANIZATION, computer=COMPUTER, key_fingerprint=FINGERPRINT)


def manifest(**changes: Any) -> Manifest:
    """A good manifest for COMPUTER, with changes."""
    blob = b"layer"
    good = Manifest(
        organization=ORGANIZATION,
        computer=COMPUTER,
        key_fingerprint=FINGERPRINT,
        epoch=1,
        version=7,
        issued_at=NOW - 60,
        expires_at=NOW + 30 * 86_400,
        place=ManifestPlace(organization=ORGANIZATION, group=GROUP, above=("msp",), os="linux"),
        layers=(Layer(digest=hashlib.sha256(blob).hexdigest(), size=len(blob), kind="policies", name="global"),),
    )
    return msgspec.structs.replace(good, **changes)


def payload(what: msgspec.Struct) -> bytes:
    return msgspec.msgpack.encode(what)


def sealed(what: Manifest, *keys: Ed25519PrivateKey) -> bytes:
    """The manifest in its envelope, signed by the bundle key unless others are given."""
    return envelope.seal(MANIFEST_TYPE, payload(what), keys or (BUNDLE,))


def checkpoint_of(what: Manifest, **changes: Any) -> Checkpoint:
    """A good checkpoint that names this manifest, with changes."""
    body = payload(what)
    good = Checkpoint(
        computer=COMPUTER,
        epoch=what.epoch,
        version=what.version,
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        issued_at=NOW - 10,
        expires_at=NOW + 3600,
        server_time=NOW,
        nonce=NONCE,
    )
    return msgspec.structs.replace(good, **changes)


def sealed_checkpoint(what: Checkpoint, *keys: Ed25519PrivateKey) -> bytes:
    return envelope.seal(CHECKPOINT_TYPE, payload(what), keys or (CHECKPOINT,))
