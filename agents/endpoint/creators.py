"""Created by: which program wrote a file.

Noted when a file is opened for writing, while the writer is alive and blocked in its open; made durable when
the last descriptor is closed. Kept in an extended attribute only root can read or change, which travels with
renames and hard links, and mirrored in the spool for file systems without attributes. truncate(2) causes no
event and changes nothing.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from agents.endpoint.files import XATTR_CREATED_BY, Key, creator_from_xattr, handle_of, key_of
from agents.endpoint.recorder import Recorder

_MAX_PENDING = 16_384


@dataclass(frozen=True, slots=True)
class Writing:
    """One file being written: by which program, and what it was like before."""

    exe: str
    user: int
    mtime_ns: int
    size: int


class Creators:
    """Used by the worker's main thread only."""

    def __init__(self, recorder: Recorder, mirror: Callable[[bytes], str]) -> None:
        self._recorder = recorder
        self._mirror = mirror
        self._pending: OrderedDict[Key, Writing] = OrderedDict()
        self._recent: OrderedDict[bytes, str] = OrderedDict()

    def note(self, stat: os.stat_result, exe: str, user: int) -> None:
        """`exe` is opening the file for writing. The last one before the close counts."""
        self._pending[key_of(stat)] = Writing(exe, user, stat.st_mtime_ns, stat.st_size)
        if len(self._pending) > _MAX_PENDING:
            self._pending.popitem(last=False)

    def commit(self, fd: int, stat: os.stat_result) -> Writing | None:
        """The file is closed: write down who wrote it. None when nobody was seen opening it."""
        writing = self._pending.pop(key_of(stat), None)
        if writing is None:
            return None
        before = creator_from_xattr(fd)
        changed = (writing.mtime_ns, writing.size) != (stat.st_mtime_ns, stat.st_size)
        creator = writing.exe
        if not changed and before and before != creator:
            # Opened for writing, no stamp moved: written through a mapping, or not at all. Neither the old creator
            # nor the new one may lend the file its good name.
            creator = ""
        self._keep(fd, creator, has_attributes=before is not None)
        return writing

    def of(self, fd: int) -> str:
        """The program that wrote an open file; empty when unknown."""
        creator = creator_from_xattr(fd)
        if creator is not None:
            return creator
        handle = handle_of(fd)
        if handle is None:
            return ""
        recent = self._recent.get(handle)
        return self._mirror(handle) if recent is None else recent

    def _keep(self, fd: int, creator: str, *, has_attributes: bool) -> None:
        if has_attributes:
            try:
                os.setxattr(fd, XATTR_CREATED_BY, creator.encode("utf-8", "backslashreplace"))
            except OSError:
                # No room for it: then at least no older name may stand there.
                _remove(fd)
        handle = handle_of(fd)
        if handle is not None:
            self._recent[handle] = creator
            if len(self._recent) > _MAX_PENDING:
                self._recent.popitem(last=False)
            self._recorder.remember_creator(handle, creator, int(time.time()))


def _remove(fd: int) -> None:
    try:
        os.removexattr(fd, XATTR_CREATED_BY)
    except OSError:
        return
