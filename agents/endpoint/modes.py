"""Which mode this computer is in right now, and the signed end of a relaxed one.

A relaxed mode with an end is over at the end by the trusted clock, at the end by the time since boot, or at
once when somebody set the clock back; what is over stays over, across restarts, until the portal signs
another window.
"""

from __future__ import annotations

import msgspec

from agents.endpoint.clock import TrustedClock
from agents.protocol.manifest import ModeWindow
from agents.protocol.messages import Mode


class ModeRecord(msgspec.Struct, frozen=True):
    """What must survive a restart. `deadline_boot` counts in the boot it was made in."""

    window: ModeWindow = ModeWindow()
    boot_id: str = ""
    deadline_boot: float = 0.0
    is_over: bool = False


class ModeKeeper:
    """The window in force. `changed` is true after a change that must be persisted, until `record` is taken."""

    def __init__(self, clock: TrustedClock, record: ModeRecord) -> None:
        self._clock = clock
        self._record = record
        self.changed = False
        if record.boot_id != clock.boot_id:
            self._start(record.window, is_over=record.is_over)

    @property
    def window(self) -> ModeWindow:
        """The window as the portal signed it."""
        return self._record.window

    @property
    def ends_at(self) -> int | None:
        """When the current mode ends by itself, unix seconds."""
        return None if self._record.is_over else self._record.window.ends_at

    def enter(self, window: ModeWindow) -> None:
        """Take over the window of a new manifest. The same window again changes nothing: what is over stays
        over.
        """
        if window != self._record.window:
            self._start(window, is_over=False)

    def current(self) -> Mode:
        """The mode for a decision taken now."""
        record = self._record
        if record.window.ends_at is None or record.window.mode == "secured":
            return record.window.mode
        if not record.is_over and self._has_ended(record):
            self._record = msgspec.structs.replace(record, is_over=True)
            self.changed = True
        return self._record.window.after if self._record.is_over else self._record.window.mode

    def record(self) -> ModeRecord:
        """What to persist now."""
        self.changed = False
        return self._record

    def _has_ended(self, record: ModeRecord) -> bool:
        ends_at = record.window.ends_at
        return (
            self._clock.set_back
            or self._clock.boot() >= record.deadline_boot
            or (ends_at is not None and self._clock.now() >= ends_at)
        )

    def _start(self, window: ModeWindow, *, is_over: bool) -> None:
        left = 0.0 if window.ends_at is None else window.ends_at - self._clock.now()
        self._record = ModeRecord(window, self._clock.boot_id, self._clock.boot() + left, is_over)
        self.changed = True
