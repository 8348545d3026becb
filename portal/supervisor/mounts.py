"""Mounts of a former run below the data directory: found and let go of."""

from __future__ import annotations

import subprocess
from pathlib import Path

MOUNT_TABLE = Path("/proc/self/mountinfo")


def mounts_below(directory: Path) -> list[Path]:
    """Mount points inside `directory`, the innermost first; empty where there is no mount table."""
    if not MOUNT_TABLE.exists():
        return []
    points = [Path(unescape(line.split()[4])) for line in MOUNT_TABLE.read_text().splitlines()]
    return [point for point in reversed(points) if directory in point.parents]


def unescape(text: str) -> str:
    """The kernel writes blanks and backslashes of a path as octal numbers."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def unmount_below(directory: Path) -> None:
    """Detach every mount inside `directory`, even one that is still in use."""
    for point in mounts_below(directory):
        subprocess.run(("umount", "--lazy", str(point)), check=True)
