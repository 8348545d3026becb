"""What running programs were judged on when they started: the only time their launcher is known for certain."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agents.endpoint.files import Key
from policies.engine.facts import FileFacts

_MAX_ENTRIES = 8_192


@dataclass(frozen=True, slots=True)
class Launch:
    """One permitted start. `boot_seconds`: when, counted as /proc counts the starts of processes."""

    key: Key
    facts: FileFacts
    size: int
    boot_seconds: float


class Launches:
    """Written by the worker's main thread, read by any: each read is one look-up.

    A process number may be used again, so whoever reads compares the file and the start of the process.
    """

    def __init__(self) -> None:
        self._programs: dict[int, Launch] = {}
        self._scripts: dict[int, Launch] = {}

    def note(self, pid: int, key: Key, facts: FileFacts, size: int, *, follows: bool) -> None:
        """A start was permitted. `follows`: it is the interpreter of the script noted just before."""
        launch = Launch(key, facts, size, time.clock_gettime(time.CLOCK_BOOTTIME))
        if facts.action_type == "script":
            _put(self._scripts, pid, launch)
            return
        _put(self._programs, pid, launch)
        if not follows:
            self._scripts.pop(pid, None)

    def program(self, pid: int) -> Launch | None:
        """What the process was started from."""
        return self._programs.get(pid)

    def script(self, pid: int) -> Launch | None:
        """The script that its interpreter was started for."""
        return self._scripts.get(pid)


def _put(entries: dict[int, Launch], pid: int, launch: Launch) -> None:
    entries.pop(pid, None)
    entries[pid] = launch
    if len(entries) > _MAX_ENTRIES:
        del entries[next(iter(entries))]
