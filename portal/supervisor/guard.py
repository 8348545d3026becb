"""A small process that outlives a killed supervisor just long enough to end everything that one had started.

Standard library only. It reads one line per change from its standard input: `+GROUP SIGNAL` and `-GROUP`.
When that pipe closes, however the supervisor died, every group still known is asked to stop and, after the
grace, is killed. The kernel's parent-death signal (Linux) covers each child too; this covers their children
and other systems.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_SECONDS = 8.0
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def main() -> None:
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    groups = watch(sys.stdin)
    end_groups(groups, GRACE_SECONDS)


def watch(lines: Iterable[str]) -> dict[int, int]:
    """Follow the supervisor until it is gone; the process groups it left, each with its own stop signal."""
    groups: dict[int, int] = {}
    for line in lines:
        group, _, number = line[1:].strip().partition(" ")
        if line.startswith("+"):
            groups[int(group)] = int(number)
        else:
            groups.pop(int(group), None)
    return groups


def end_groups(groups: dict[int, int], grace_seconds: float) -> None:
    """Ask each group in reverse order of start, wait for all of them together, kill what is left."""
    left = [group for group in reversed(groups) if send(group, groups[group])]
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [group for group in left if send(group, 0)]
    for group in left:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """False when no process of the group is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
