"""Enrolment: a key pair made here, an install key spent once, and from then on an identity of our own."""

from __future__ import annotations

import platform
import socket
import uuid
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.endpoint import VERSION
from agents.endpoint.store import Identity, Store, StoreError
from agents.endpoint.transport import Transport
from agents.protocol import envelope, signing
from agents.protocol.acceptance import AgentState
from agents.protocol.messages import EnrollAnswer, EnrollRequest, NonceAnswer

_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def enroll(
    store: Store,
    *,
    portal_url: str,
    install_key: str,
    hostname: str = "",
    machine_id: str = "",
    ca_file: str = "",
    insecure: bool = False,
) -> Identity:
    """Enrol this computer and keep the identity. Raises StoreError when it has one, Unreachable, RefusedByPortal."""
    if store.identity() is not None:
        raise StoreError(f"{store.root} is enrolled already; use another --state directory, or remove it")
    key = Ed25519PrivateKey.generate()
    transport = Transport(portal_url, key=key, sequence=_no_sequence, ca_file=ca_file, insecure=insecure)
    nonce = transport.enroll("nonce", None, NonceAnswer).nonce
    public = signing.b64(signing.public_bytes(key))
    machine = machine_id or _machine_id()
    request = EnrollRequest(
        install_key=install_key,
        hostname=(hostname or socket.gethostname())[:250],
        machine_id=machine,
        os="linux",
        agent_version=VERSION,
        public_key=public,
        nonce=nonce,
        proof=signing.b64(key.sign(signing.enroll_proof(nonce, machine, public))),
    )
    answer = transport.enroll("enroll", request, EnrollAnswer)
    return _keep(store, key, answer, portal_url=portal_url, ca_file=ca_file, insecure=insecure)


def _keep(
    store: Store, key: Ed25519PrivateKey, answer: EnrollAnswer, *, portal_url: str, ca_file: str, insecure: bool
) -> Identity:
    raw = signing.public_bytes(key)
    for keys in (answer.trust.bundle_keys, answer.trust.checkpoint_keys, answer.trust.root_keys):
        envelope.key_table(keys)
    identity = Identity(
        portal_url=portal_url.rstrip("/"),
        computer=answer.computer,
        organization=answer.organization,
        key_id=signing.key_id(raw),
        status=answer.status,
        ca_file=str(Path(ca_file).absolute()) if ca_file else "",
        insecure=insecure,
    )
    state = AgentState(
        organization=answer.organization, computer=answer.computer, key_fingerprint=signing.fingerprint(raw)
    )
    store.save_key(key)
    store.save_trust(answer.trust)
    store.save_state(state)
    # Last, because its presence is what makes this directory an enrolled one.
    store.save_identity(identity)
    return identity


def _machine_id() -> str:
    for name in _MACHINE_ID_FILES:
        try:
            found = Path(name).read_text().strip()
        except OSError:
            continue
        if found:
            return found
    return f"{platform.node()}-{uuid.getnode():012x}"


def _no_sequence() -> int:
    raise StoreError("enrolment requests are not signed")
