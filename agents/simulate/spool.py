"""Events that wait for the portal, in immutable numbered batches. Forgets only what the portal acknowledged."""

from __future__ import annotations

import time
from collections import deque
from uuid import uuid4

from agents.protocol.messages import Event, EventBatch, EventsAnswer
from agents.simulate.ledger import Ledger

MAX_BATCH = 500


class Spool:
    """The outgoing queue of one pretend computer since its last start (`boot_id`)."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.boot_id = uuid4().hex
        self.next_sequence = 1
        self._waiting: deque[Event] = deque()
        self._open: EventBatch | None = None
        self._batch = time.time_ns() // 1000  # rises across starts without being kept anywhere
        self.limit = MAX_BATCH

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> None:
        """Append an event that carries `next_sequence`."""
        if event.sequence != self.next_sequence:
            raise ValueError(f"sequence {event.sequence} is not {self.next_sequence}")
        self.next_sequence += 1
        self._waiting.append(event)
        self.ledger.generated.append((self.boot_id, event.sequence))

    def batch(self) -> EventBatch | None:
        """The batch to send now. The same one, byte for byte, until it is settled."""
        if self._open is None and self._waiting:
            events = tuple(self._waiting[i] for i in range(min(len(self._waiting), self.limit)))
            self._batch += 1
            self._open = EventBatch(
                boot_id=self.boot_id, batch=self._batch, first_sequence=events[0].sequence, events=events
            )
        return self._open

    def settle(self, answer: EventsAnswer) -> None:
        """Forget what the answer names: everything up to the acknowledged sequence."""
        batch = self._open
        if batch is None or answer.batch != batch.batch:
            return
        bad = {entry.index: entry.reason for entry in answer.rejected}
        for index, event in enumerate(batch.events):
            if event.sequence > answer.acknowledged_sequence:
                continue
            if index in bad:
                self.ledger.rejected.append((self.boot_id, event.sequence, bad[index]))
            else:
                self.ledger.acknowledged.add((self.boot_id, event.sequence))
        while self._waiting and self._waiting[0].sequence <= answer.acknowledged_sequence:
            self._waiting.popleft()
        self._open = None

    def halve(self) -> None:
        """The portal found the batch too large: send half as many. A smaller batch is another batch."""
        self.limit = max(1, self.limit // 2)
        self._open = None
