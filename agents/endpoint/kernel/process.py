"""What /proc tells about the thread that is blocked in the kernel. Unreadable is empty, never guessed.

The thread waits for our answer, so its /proc entry cannot change under us; its memory can, from other
threads: what is read from memory is for the audit, not for decisions.
"""

# The hot path: a Path costs more than the system call.
# ruff: noqa: PTH115, PTH116

from __future__ import annotations

import os
import platform
import struct
from dataclasses import dataclass

MAX_COMMAND_LINE = 8_192
_MAX_ARGUMENTS = 256
_PAGE_BYTES = 4_096
_SYSCALL_ARGUMENTS = 6
_POINTER_BLOCK_BYTES = 128
_STRING_BYTES = 1_024
_WORD = struct.Struct("=Q")
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR

# System call numbers: name -> number, per machine, as /proc/TID/syscall shows them.
_CALLS = {
    "x86_64": {"open": 2, "openat": 257, "openat2": 437, "by_handle": 304, "execve": 59, "execveat": 322},
    "aarch64": {"openat": 56, "openat2": 437, "by_handle": 265, "execve": 221, "execveat": 281},
}.get(platform.machine(), {})
_NO_CALL = -2
_OPEN = _CALLS.get("open", _NO_CALL)
_OPENAT = _CALLS.get("openat", _NO_CALL)
_OPENAT2 = _CALLS.get("openat2", _NO_CALL)
_BY_HANDLE = _CALLS.get("by_handle", _NO_CALL)
_EXECVE = _CALLS.get("execve", _NO_CALL)
_EXECVEAT = _CALLS.get("execveat", _NO_CALL)


@dataclass(frozen=True, slots=True)
class Identity:
    """Process of a thread, and the process that started it."""

    pid: int
    parent: int


def user_of(tid: int) -> int:
    """The effective user of a thread, -1 when it is gone. The owner of this directory never hides behind set-uid."""
    try:
        return os.stat(f"/proc/{tid}").st_uid
    except OSError:
        return -1


def identity(tid: int) -> Identity | None:
    """Thread group and parent of a thread; None when it is gone. Slower than everything else here."""
    try:
        status = _read(f"/proc/{tid}/status", 2048)
        return Identity(_number(status, b"\nTgid:\t"), _number(status, b"\nPPid:\t"))
    except (OSError, ValueError):
        return None


def executable(tid: int) -> str:
    """Path of the program a thread runs, as text; empty when unreadable."""
    try:
        return text(os.readlink(b"/proc/%d/exe" % tid))
    except OSError:
        return ""


def executable_stat(tid: int) -> os.stat_result | None:
    """The file a thread runs, whatever it is called by now."""
    try:
        return os.stat(f"/proc/{tid}/exe")
    except OSError:
        return None


def arguments(tid: int) -> list[str]:
    """The arguments of a running program."""
    try:
        raw = _read(f"/proc/{tid}/cmdline", MAX_COMMAND_LINE)
    except OSError:
        return []
    return [text(piece) for piece in raw.rstrip(b"\0").split(b"\0")] if raw else []


def arguments_of_execve(tid: int) -> list[str]:
    """The arguments a thread is passing to the execve it is blocked in; empty when it is in none."""
    number, values = syscall(tid)
    if len(values) < _SYSCALL_ARGUMENTS:
        return []
    if number == _EXECVE:
        vector = values[1]
    elif number == _EXECVEAT:
        vector = values[2]
    else:
        return []
    try:
        memory = os.open(f"/proc/{tid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return _string_vector(memory, vector)
    except OSError:
        return []
    finally:
        os.close(memory)


def opens_for_writing(tid: int) -> bool | None:
    """Whether the open a thread is blocked in may write. None: it is no open at all, but an execve.

    A call this table does not know (io_uring, another machine's numbers) counts as writing.
    """
    number, values = syscall(tid)
    if len(values) < _SYSCALL_ARGUMENTS:
        return True
    if number == _OPENAT:
        return bool(values[2] & _WRITE_FLAGS)
    if number == _OPEN:
        return bool(values[1] & _WRITE_FLAGS)
    if number in (_EXECVE, _EXECVEAT):
        return None
    if number == _OPENAT2:
        return _openat2_writes(tid, values[2])
    if number == _BY_HANDLE:
        return bool(values[2] & _WRITE_FLAGS)
    return True


def syscall(tid: int) -> tuple[int, list[int]]:
    """Number and arguments of the system call a thread is blocked in; (-1, []) when that cannot be read."""
    try:
        fields = _read(f"/proc/{tid}/syscall", 256).split()
        return int(fields[0]), [int(field, 16) for field in fields[1:7]]
    except (OSError, ValueError, IndexError):
        return -1, []


def boot_id() -> str:
    """A new word for each start of the computer."""
    try:
        return _read("/proc/sys/kernel/random/boot_id", 64).decode().strip()
    except OSError:
        return ""


def text(raw: bytes) -> str:
    """Bytes of a path or argument as text every store accepts: what is not UTF-8 becomes `\\xNN`."""
    return raw.decode("utf-8", "backslashreplace")


def visible(name: str) -> str:
    """A file or user name as Python gives it, as text every store accepts."""
    return text(os.fsencode(name))


def _string_vector(memory: int, address: int) -> list[str]:
    found: list[str] = []
    budget = MAX_COMMAND_LINE
    # Pointers are read a block at a time, up to the end of the page: the next page may not be there.
    while len(found) < _MAX_ARGUMENTS:
        room = (_PAGE_BYTES - address % _PAGE_BYTES) & ~7 or 8
        block = os.pread(memory, min(_POINTER_BLOCK_BYTES, room), address)
        for (pointer,) in _WORD.iter_unpack(block[: len(block) & ~7]):
            if not pointer or budget <= 0 or len(found) == _MAX_ARGUMENTS:
                return found
            word = _string(memory, pointer, budget)
            found.append(text(word))
            budget -= len(word) + 1
        if len(block) < 8:
            break
        address += len(block) & ~7
    return found


def _string(memory: int, address: int, budget: int) -> bytes:
    room = _PAGE_BYTES - address % _PAGE_BYTES
    piece = os.pread(memory, min(_STRING_BYTES, room), address)
    if b"\0" not in piece:
        piece += os.pread(memory, budget, address + len(piece))
    return piece.partition(b"\0")[0][:budget]


def _openat2_writes(tid: int, address: int) -> bool:
    try:
        memory = os.open(f"/proc/{tid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        return bool(_WORD.unpack(os.pread(memory, 8, address))[0] & _WRITE_FLAGS)
    except (OSError, struct.error):
        return True
    finally:
        os.close(memory)


def _read(path: str, size: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def _number(status: bytes, label: bytes) -> int:
    start = status.index(label) + len(label)
    return int(status[start : status.index(b"\n", start)].split()[0])
