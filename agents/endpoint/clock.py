"""Time an attacker with the date command cannot bend: anchored to what the portal signed, never running
backwards.

Decisions use `TrustedClock.now_ms`. Between anchors time passes by CLOCK_BOOTTIME, which nobody can set.
Without an anchor since boot, the wall clock counts (and what it lagged behind the portal), but never less than the
highest time known before, which goes on by CLOCK_BOOTTIME as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from agents.endpoint.kernel import process

SET_BACK_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where time comes from; tests bring their own."""

    wall: Callable[[], float] = time.time
    boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    boot_id: str = ""

    @staticmethod
    def real() -> Sources:
        """The clocks of this computer."""
        return Sources(boot_id=process.boot_id())


class ClockRecord(msgspec.Struct, frozen=True):
    """What must survive a restart: the highest time known and when in its boot that was, the highest reading of the
    wall clock and by how much it lags, and the anchor with the boot it belongs to.
    """

    highest: float = 0.0
    boot_id: str = ""
    anchor_server: float = 0.0
    anchor_boot: float = 0.0
    highest_wall: float = 0.0
    slow_by: float = 0.0
    seen_boot_id: str = ""
    seen_boot: float = 0.0


class TrustedClock:
    """The agent's clock. It neither falls nor stands still, whatever the wall clock does: `record` is what to persist,
    `sources` the raw clocks.
    """

    def __init__(self, sources: Sources, record: ClockRecord) -> None:
        self._sources = sources
        same_boot = bool(record.boot_id) and record.boot_id == sources.boot_id
        self._anchor = (record.anchor_server, record.anchor_boot) if same_boot else None
        seen_here = bool(record.seen_boot_id) and record.seen_boot_id == sources.boot_id
        # What was reached before goes on from there: by the time since boot, not by the wall clock.
        self._floor = (record.highest, record.seen_boot if seen_here else sources.boot())
        self._highest_wall = record.highest_wall or record.highest
        self._slow_by = record.slow_by
        self.set_back = False
        self.tick()

    @property
    def boot_id(self) -> str:
        """The boot this clock runs in."""
        return self._sources.boot_id

    def boot(self) -> float:
        """Seconds since boot, sleep included."""
        return self._sources.boot()

    def now(self) -> float:
        """Unix seconds, as well as this computer can know them."""
        boot = self._sources.boot()
        if self._anchor is not None:
            return self._anchor[0] + boot - self._anchor[1]
        return max(self._sources.wall() + self._slow_by, self._floor[0] + boot - self._floor[1])

    def now_ms(self) -> int:
        """Unix milliseconds of `now`."""
        return int(self.now() * 1000)

    def anchor(self, server_time: float) -> None:
        """Believe a time the portal signed for this very check-in."""
        self._anchor = self._floor = (server_time, self._sources.boot())
        self._highest_wall = self._sources.wall()
        self._slow_by = max(0.0, server_time - self._highest_wall)
        self.set_back = False

    def tick(self) -> None:
        """Look at the wall clock; call often. Notices a clock that was set back (`set_back` stays until
        `anchor`).
        """
        wall = self._sources.wall()
        if wall < self._highest_wall - SET_BACK_SECONDS:
            self.set_back = True
        self._highest_wall = max(self._highest_wall, wall)
        self._floor = (self.now(), self._sources.boot())

    def record(self) -> ClockRecord:
        """What to persist now."""
        server, boot = self._anchor or (0.0, 0.0)
        highest, seen_boot = self._floor
        return ClockRecord(
            highest=highest,
            boot_id=self._sources.boot_id if self._anchor else "",
            anchor_server=server,
            anchor_boot=boot,
            highest_wall=self._highest_wall,
            slow_by=self._slow_by,
            seen_boot_id=self._sources.boot_id,
            seen_boot=seen_boot,
        )
