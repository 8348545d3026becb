"""One Portcullis per data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from portal.supervisor.errors import StartRefused
from portal.supervisor.processes import command_line
from portal.supervisor.programs import wait_until

CLEARED_WITHIN_SECONDS = 20.0


@contextmanager
def run_lock(path: Path) -> Iterator[int]:
    """Hold the lock while the block runs; yields its file descriptor.

    The kernel lets go of it when we die and the guard, which inherits it, has ended what we started: a start after a
    kill -9 waits for that. Raises StartRefused, naming the process that holds it, when that one lives.
    """
    with path.open("a+") as file:
        if not _taken(file):
            holder = _holder(file)
            if command_line(holder) or not wait_until(lambda: _taken(file), CLEARED_WITHIN_SECONDS):
                raise StartRefused(
                    f"Portcullis already runs on {path.parent} (process {holder}). "
                    "Stop it first, or set DATA_DIR (and PORT) for a second one."
                )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()


def _taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: TextIO) -> int:
    file.seek(0)
    text = file.read().strip()
    return int(text) if text.isdecimal() else 0
