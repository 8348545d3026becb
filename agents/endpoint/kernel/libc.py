"""The handful of libc calls Python has no name for. A failure is an OSError with the call's name in it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

CLONE_NEWNS = 0x00020000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 0x40000
MNT_DETACH = 0x2
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_AT_EMPTY_PATH = 0x1000
_MAX_HANDLE_BYTES = 128

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send `number` to this process when the thread that started it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0), "prctl")


def set_name(name: str) -> None:
    """What process lists call this process; 15 characters."""
    _check(_libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl")


def prctl(option: int, value: int) -> int:
    """prctl with one argument."""
    return _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), "prctl")


def syscall(number: int, *arguments: object) -> int:
    """A system call libc has no name for. Integers are passed as long, buffers as pointers."""
    values = (ctypes.c_long(value) if isinstance(value, int) else value for value in arguments)
    return _check(_libc.syscall(ctypes.c_long(number), *values), f"syscall {number}")


def capset(header: object, data: object) -> None:
    """Set the capabilities of this thread."""
    _check(_libc.capset(header, data), "capset")


def unshare_mounts() -> None:
    """Give this process mounts of its own, from which nothing travels back."""
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount")


def mount_tmpfs(source: str, path: str, options: str) -> None:
    """Mount a tmpfs from which programs may be run, but without set-uid and devices."""
    arguments = (source.encode(), os.fsencode(path), b"tmpfs", MS_NOSUID | MS_NODEV, options.encode())
    _check(_libc.mount(*arguments), "mount")


def unmount(path: str) -> None:
    """Take the topmost mount at `path` away, also while it is in use."""
    _check(_libc.umount2(os.fsencode(path), MNT_DETACH), "umount2")


def fanotify_init(flags: int, event_flags: int) -> int:
    """A new fanotify group."""
    return _check(_libc.fanotify_init(ctypes.c_uint(flags), ctypes.c_uint(event_flags)), "fanotify_init")


def fanotify_mark(group: int, flags: int, mask: int, path: str) -> None:
    """Add or change a mark of the group."""
    directory, name = ctypes.c_int(-100), os.fsencode(path)
    arguments = (group, ctypes.c_uint(flags), ctypes.c_uint64(mask), directory, name)
    _check(_libc.fanotify_mark(*arguments), "fanotify_mark")


def file_handle(fd: int) -> bytes:
    """What names the open file for ever on its file system: type and handle, inode generation included."""
    room = _MAX_HANDLE_BYTES.to_bytes(4, sys.byteorder)
    buffer = ctypes.create_string_buffer(room, 8 + _MAX_HANDLE_BYTES)
    mount_id = ctypes.c_int()
    result = _libc.name_to_handle_at(fd, b"", buffer, ctypes.byref(mount_id), _AT_EMPTY_PATH)
    _check(result, "name_to_handle_at")
    length = int.from_bytes(buffer.raw[0:4], sys.byteorder)
    return bytes(buffer.raw[4 : 8 + length])
