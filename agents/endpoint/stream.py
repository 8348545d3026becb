"""Waits at the gateway for a hint that something changed. Hints are only hints: losing them all costs a minute."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from agents.endpoint.backoff import Backoff
from agents.endpoint.transport import InsecureUrl, RefusedByPortal, Transport, Unreachable
from agents.protocol.messages import StreamHint

POLL_SECONDS = 60.0
_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Door:
    """Where to wait, and what opens it, as the last check-in said."""

    url: str
    token: str
    revision: int


class Stream:
    """A thread that sets `wake` whenever the revision, the mode or the hold of a hint differs from the last one."""

    def __init__(self, transport: Transport, wake: threading.Event) -> None:
        self._transport = transport
        self._wake = wake
        self._door: Door | None = None
        self._has_door = threading.Event()
        self._last: StreamHint | None = None

    def start(self) -> None:
        """Start waiting; nothing happens before `move_to`."""
        threading.Thread(target=self._run, name="stream", daemon=True).start()

    def move_to(self, door: Door) -> None:
        """Wait there from the next poll on."""
        self._door = door
        if door.url and door.token:
            self._has_door.set()

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            self._has_door.wait()
            door, began = self._door, time.monotonic()
            if door is None:
                continue
            try:
                hint = self._poll(door)
            except (Unreachable, InsecureUrl):
                time.sleep(max(_LEAST_SECONDS, backoff.failed()))
                continue
            except RefusedByPortal as error:
                # An old token: the next check-in brings another.
                time.sleep(max(_LEAST_SECONDS, backoff.failed(error.retry_after_seconds)))
                continue
            backoff.succeeded()
            changed = self._is_news(door, hint)
            self._last = hint
            if changed:
                self._wake.set()
            if time.monotonic() - began < _LEAST_SECONDS:
                time.sleep(_LEAST_SECONDS)

    def _poll(self, door: Door) -> StreamHint:
        known = max(door.revision, self._last.revision if self._last else 0)
        mark = "&" if "?" in door.url else "?"
        url = f"{door.url}{mark}{urlencode({'after': known})}"
        return self._transport.poll(url, door.token, StreamHint, POLL_SECONDS)

    def _is_news(self, door: Door, hint: StreamHint) -> bool:
        last = self._last or StreamHint(revision=door.revision, mode=hint.mode, hold=hint.hold)
        return hint != last
