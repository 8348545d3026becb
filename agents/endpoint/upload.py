"""Delivers the spool: immutable batches, sent until acknowledged, halved when too large, never faster than asked."""

from __future__ import annotations

import time

from agents.endpoint.backoff import Backoff
from agents.endpoint.clock import TrustedClock
from agents.endpoint.spool import Spool
from agents.endpoint.transport import RefusedByPortal, Transport, Unreachable
from agents.protocol.messages import MAX_EVENTS, EventsAnswer

_SKIPPED_NUMBERS = 1_000
_TOO_LARGE = frozenset({400, 413, 415, 422})


class Uploader:
    """`upload` sends at most one batch; call it again while it says that more may go."""

    def __init__(self, spool: Spool, transport: Transport, clock: TrustedClock) -> None:
        self._spool = spool
        self._transport = transport
        self._clock = clock
        self._limit = MAX_EVENTS
        self._backoff = Backoff()
        self._not_before = 0.0
        self.refused: list[str] = []

    def upload(self) -> bool:
        """Send the oldest batch if it is time. True when a batch was acknowledged and another may follow."""
        if time.monotonic() < self._not_before:
            return False
        batch = self._spool.next_batch(self._clock.boot_id, self._clock.now_ms(), limit=self._limit)
        if batch is None:
            return False
        try:
            answer = self._transport.post_packed("events", batch.body, EventsAnswer)
        except Unreachable:
            self._wait(None)
            return False
        except RefusedByPortal as error:
            return self._on_refusal(batch.last_sequence - batch.first_sequence, error)
        self._backoff.succeeded()
        self._limit = min(MAX_EVENTS, self._limit * 2)
        return self._spool.settle(batch, answer) > 0

    def _on_refusal(self, span: int, error: RefusedByPortal) -> bool:
        batch = self._spool.next_batch(self._clock.boot_id, self._clock.now_ms())
        if batch is None:
            return False
        if error.status == 409:
            # Somebody used this number for other events: a restored or cloned computer. Ours get a new one.
            self._spool.give_up(batch)
            self._spool.skip_numbers(_SKIPPED_NUMBERS)
            return True
        if error.status not in _TOO_LARGE:
            self._wait(error.retry_after_seconds)
            return False
        if span == 0:
            # One event nobody can take would stop all others for ever; it is counted in the next gap.
            self.refused.append(str(error))
            self._spool.discard(batch)
            return True
        self._spool.give_up(batch)
        self._limit = max(1, min(self._limit, span + 1) // 2)
        return True

    def _wait(self, asked_seconds: float | None) -> None:
        self._not_before = time.monotonic() + self._backoff.failed(asked_seconds)
