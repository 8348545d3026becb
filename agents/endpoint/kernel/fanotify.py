"""fanotify permission events: open a group, mark file systems, read events, answer them.

An unanswered permission event blocks the process that caused it, so whoever reads must answer. Any copy of
the group's descriptor keeps the group alive, also one in a child that is itself blocked: never execute
anything while holding one.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from agents.endpoint.kernel import libc

CLOSE_WRITE = 0x8
OPEN_PERM = 0x10000
OPEN_EXEC_PERM = 0x40000
ALLOW, DENY = 1, 2

_CLOEXEC, _NONBLOCK, _CLASS_CONTENT, _UNLIMITED_QUEUE, _REPORT_TID = 0x1, 0x2, 0x4, 0x10, 0x100
_MARK_ADD, _MARK_FILESYSTEM = 0x1, 0x100
_LARGEFILE = 0o100000
_METADATA = struct.Struct("=IBBHQii")
_RESPONSE = struct.Struct("=iI")
_VERSION = 3
_READ_BYTES = 24 * 256


class KernelEvent(NamedTuple):
    """One event. `fd` is open for reading and ours to close; `tid` is the thread that caused it."""

    mask: int
    fd: int
    tid: int


def open_group() -> int:
    """A non-blocking group for permission events that names threads. Needs CAP_SYS_ADMIN."""
    flags = _CLOEXEC | _NONBLOCK | _CLASS_CONTENT | _UNLIMITED_QUEUE | _REPORT_TID
    return libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC | os.O_NOATIME | _LARGEFILE)


def guard_file_system(group: int, path: str, *, opens: bool = True) -> None:
    """Ask before every execution on the file system that holds `path`, through whatever mount it is reached.

    `opens`: ask before every other open as well, for scripts that an interpreter reads and for who writes
    what.
    """
    mask = OPEN_EXEC_PERM | CLOSE_WRITE | (OPEN_PERM if opens else 0)
    libc.fanotify_mark(group, _MARK_ADD | _MARK_FILESYSTEM, mask, path)


def read_events(group: int) -> Iterator[KernelEvent]:
    """The events of one read, none when there are none. They are yielded only once all of them are parsed.

    An event whose file cannot be opened for us (no descriptor left, a stale network file) has been denied by the
    kernel when the read fails; the next read goes on after it.
    """
    try:
        data = os.read(group, _READ_BYTES)
    except OSError as error:
        if error.errno in (errno.EBADF, errno.EINVAL, errno.EFAULT):
            raise
        return iter(())
    events = []
    offset = 0
    while offset + _METADATA.size <= len(data):
        length, version, _, _, mask, fd, tid = _METADATA.unpack_from(data, offset)
        if version != _VERSION:
            raise OSError(f"fanotify speaks version {version}")
        events.append(KernelEvent(mask, fd, tid))
        offset += length
    return iter(events)


def answer(group: int, fd: int, verdict: int) -> None:
    """Let the blocked process go on (ALLOW) or fail with EPERM (DENY). Raises OSError when nobody waits for
    it.
    """
    os.write(group, _RESPONSE.pack(fd, verdict))
