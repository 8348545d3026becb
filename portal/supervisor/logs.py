"""One log file a child, written by the child itself so that it goes on when the supervisor is killed."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LONGEST_LOG_BYTES = 20_000_000
TAIL_BYTES = 16_000
TAIL_LINES = 15


@dataclass(slots=True)
class Reader:
    """Gives the whole lines that were added to a log since it was last asked."""

    path: Path
    position: int = 0

    @classmethod
    def from_end(cls, path: Path) -> Reader:
        return cls(path, path.stat().st_size)

    def new_lines(self) -> list[str]:
        with self.path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < self.position:
                self.position = 0  # it was cut
            file.seek(self.position)
            whole, _, _ = file.read().rpartition(b"\n")
        if not whole:
            return []
        self.position += len(whole) + 1
        return whole.decode(errors="replace").split("\n")


def prepare(directory: Path, name: str) -> Path:
    """The log of the child called `name`, with a line that marks where this run begins."""
    path = directory / f"{name}.log"
    limit(path)
    with path.open("a") as file:
        file.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC ---\n")
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
