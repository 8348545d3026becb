"""One Portcullis per data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.supervisor.errors import StartRefused


@contextmanager
def run_lock(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs; the kernel lets go of it when the process dies, however it dies.

    Raises StartRefused, naming the process that holds it.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StartRefused(
                f"Portcullis already runs on {path.parent} (process {holder}). "
                "Stop it first, or set DATA_DIR (and PORT) for a second one."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
