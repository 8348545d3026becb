"""The worker's custody of what is believed: state, trust, checkpoint, bundle. The syncer only carries; this decides.

Nonces are made here and spent once, so that a checkpoint cannot be old, whoever carried it.
"""

from __future__ import annotations

import secrets

from agents.endpoint.clock import TrustedClock
from agents.endpoint.orders import RESTARTED
from agents.endpoint.store import Store, StoredBundle
from agents.protocol import signing
from agents.protocol.acceptance import (
    Accepted,
    AgentState,
    Rejection,
    accept,
    accept_checkpoint,
    accept_root,
)
from agents.protocol.manifest import Checkpoint, TrustRoot

_NONCE_BYTES = 24


class Custody:
    """Used by the worker's link thread. Every refusal is a Rejection and changes nothing."""

    def __init__(self, store: Store, clock: TrustedClock) -> None:
        self._store = store
        self._clock = clock
        self._nonce = ""
        self._checkpoint: Checkpoint | None = None

    def new_nonce(self) -> str:
        """The nonce of the next check-in; the one before it is void."""
        self._nonce = signing.b64(secrets.token_bytes(_NONCE_BYTES))
        return self._nonce

    def take_root(self, envelope: bytes) -> None:
        """Trust another root from now on."""
        self._store.save_trust(accept_root(envelope, self._trust()))

    def take_checkpoint(self, envelope: bytes) -> Checkpoint:
        """Believe a checkpoint, and the time in it."""
        nonce, self._nonce = self._nonce, ""
        if not nonce:
            raise Rejection(RESTARTED, "no check-in is under way")
        checkpoint, state = accept_checkpoint(envelope, self._state(), self._trust(), nonce, None)
        self._store.save_state(state)
        self._store.save_checkpoint(checkpoint)
        self._clock.anchor(checkpoint.server_time)
        self._store.save_clock(self._clock.record())
        self._checkpoint = checkpoint
        return checkpoint

    def examine(self, envelope: bytes) -> tuple[Accepted, StoredBundle]:
        """Check a manifest against the last checkpoint. What comes back may be kept, once it has been tried out."""
        if self._checkpoint is None:
            raise Rejection(RESTARTED, "no checkpoint since the worker started")
        trust = self._trust()
        accepted = accept(envelope, self._state(), trust, self._checkpoint, int(self._clock.now()))
        return accepted, StoredBundle(envelope, accepted.state, trust)

    def keep(self, bundle: StoredBundle) -> None:
        """Make this the bundle in force on disk."""
        self._store.save_bundle(bundle)

    def _state(self) -> AgentState:
        state = self._store.state()
        if state is None:
            raise Rejection("not_enrolled", "the state file is missing: enroll anew")
        return state

    def _trust(self) -> TrustRoot:
        trust = self._store.trust()
        if trust is None:
            raise Rejection("not_enrolled", "the trust file is missing: enroll anew")
        return trust
