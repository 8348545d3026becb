"""One log file a child, written by the child itself so that it goes on when the supervisor is killed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LONGEST_LOG_BYTES = 20_000_000
TAIL_BYTES = 16_000
TAIL_LINES = 15


def prepare(directory: Path, name: str) -> Path:
    """The log of the child called `name`."""
    path = directory / f"{name}.log"
    limit(path)
    path.touch()
    return path


def limit(path: Path) -> None:
    """Keep one older copy of a log that has grown too long. Writers append, so cutting it is safe."""
    try:
        if path.stat().st_size < LONGEST_LOG_BYTES:
            return
    except FileNotFoundError:
        return
    shutil.copyfile(path, path.with_suffix(".log.1"))
    os.truncate(path, 0)


def last_lines(path: Path, count: int = TAIL_LINES) -> str:
    """The last lines of the log, indented for the terminal; at most 16 kB are read."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return "\n".join(f"  | {line}" for line in text.splitlines()[-count:])
