"""The small file system a demo computer guards: mounted where a person's shell sees it, taken away without
leftovers.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from agents.endpoint.kernel import libc

SOURCE = "portcullis-demo"
SIZE_MEGABYTES = 64
_ATTEMPTS = 16


class MountError(RuntimeError):
    """The kernel or the place refuses; `str()` says what to do."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo."""

    path: str
    kind: str
    source: str
    options: frozenset[str]
    device: str


def mounts() -> list[Mount]:
    """Every mount this process sees, in the order they were made."""
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    return [_parse(line) for line in lines]


def mount_demo(path: str | os.PathLike[str], *, size_megabytes: int = SIZE_MEGABYTES) -> bool:
    """Have exactly one tmpfs of ours at `path`, from which programs may run. True when it was mounted just
    now.

    A healthy one that is already there is kept with its files. What a killed run left half done (stacked
    twice, mounted noexec or read-only) is taken away first. Raises MountError, also when something else is
    mounted there.
    """
    place = _resolved(path)
    try:
        Path(place).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        # A dead file system under the path answers ENOTCONN or ESTALE: clear it away, then try once more.
        if error.errno not in (errno.ENOTCONN, errno.ESTALE):
            raise MountError(f"cannot make {place}: {error.strerror}") from error
        unmount_demo(place)
        Path(place).mkdir(parents=True, exist_ok=True)
    here = [mount for mount in mounts() if mount.path == place]
    if any(mount.source != SOURCE for mount in here):
        raise MountError(f"{place} already holds another mount; choose a directory of its own")
    if len(here) == 1 and not here[0].options & {"noexec", "ro"}:
        return False
    unmount_demo(place)
    try:
        libc.mount_tmpfs(SOURCE, place, f"size={size_megabytes}m,mode=0755")
    except OSError as error:
        raise MountError(f"cannot mount at {place}: {error}; this needs root") from error
    return True


def unmount_demo(path: str | os.PathLike[str]) -> None:
    """Take every mount of ours at `path` away, in use or not; nothing there is fine. Other mounts stay."""
    place = _resolved(path)
    for _ in range(_ATTEMPTS):
        here = [mount for mount in mounts() if mount.path == place]
        if not here or here[-1].source != SOURCE:
            return
        try:
            libc.unmount(place)
        except OSError as error:
            raise MountError(f"cannot unmount {place}: {error}") from error
    raise MountError(f"{place} is still mounted after {_ATTEMPTS} attempts")


def _resolved(path: str | os.PathLike[str]) -> str:
    # The parent is resolved, not the mount point itself: a dead mount cannot be looked into.
    given = Path(path).absolute()
    return str(given.parent.resolve() / given.name)


def _parse(line: bytes) -> Mount:
    left, _, right = line.partition(b" - ")
    fields, rest = left.split(b" "), right.split(b" ")
    options = fields[5].split(b",") + rest[2].split(b",")
    return Mount(
        path=_unescape(fields[4]),
        kind=rest[0].decode(),
        source=_unescape(rest[1]),
        options=frozenset(option.decode("utf-8", "replace") for option in options),
        device=fields[2].decode(),
    )


def _unescape(field: bytes) -> str:
    for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        field = field.replace(code, byte)
    return os.fsdecode(field)
