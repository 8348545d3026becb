"""What a file is: its hash, its first bytes, who wrote it. Cached, and forgotten the moment somebody may have
written.

Time stamps alone cannot be trusted: stores through a shared mapping move none of them. So an entry is valid
only while the stamps are unchanged, no CLOSE_WRITE has been seen since (same group, same queue as the
executions), and nobody has the file open for writing.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from dataclasses import dataclass

from agents.endpoint.kernel import libc

XATTR_CREATED_BY = "trusted.portcullis.created_by"
INLINE_BYTES = 256 << 10
_CHUNK_BYTES = 1 << 20
_MAX_ENTRIES = 65_536

Key = tuple[int, int]
Stamps = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at a file found. `head` is its first four bytes."""

    sha256: str
    head: bytes
    created_by: str

    @property
    def is_script(self) -> bool:
        """Whether the kernel would start an interpreter for it."""
        return self.head[:2] == b"#!"


def key_of(stat: os.stat_result) -> Key:
    """What names an inode while it is in use."""
    return stat.st_dev, stat.st_ino


def stamps_of(stat: os.stat_result) -> Stamps:
    """What every write(2), truncate(2) and utime(2) changes."""
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size


def look_at(fd: int, size: int) -> tuple[str, bytes]:
    """Hash and first bytes of an open file, read at fixed offsets so that the descriptor may be shared."""
    digest = hashlib.sha256()
    head = b""
    offset = 0
    while piece := os.pread(fd, _CHUNK_BYTES, offset):
        if not offset:
            head = piece[:4]
        digest.update(piece)
        offset += len(piece)
        if offset > size + _CHUNK_BYTES * 1024:
            # A file that grows faster than it is read has no hash.
            return "", head
    return digest.hexdigest(), head


def creator_from_xattr(fd: int) -> str | None:
    """The program that wrote an open file; empty when unknown, None where the file system keeps no such
    attribute.
    """
    try:
        return os.getxattr(fd, XATTR_CREATED_BY).decode("utf-8", "backslashreplace")
    except OSError as error:
        return "" if error.errno == _NO_DATA else None


def handle_of(fd: int) -> bytes | None:
    """A key for an open file that no later file ever has; None where the file system gives none."""
    try:
        return os.fstat(fd).st_dev.to_bytes(8, "little") + libc.file_handle(fd)
    except OSError:
        return None


_NO_DATA = 61


class FileCache:
    """Entries by inode. Used by one thread only; `generation` tells other threads' results apart."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, tuple[Stamps, Found]] = OrderedDict()
        self._writers: dict[Key, int] = {}
        self._generations: dict[Key, int] = {}
        self._clock = 0

    def known(self, stat: os.stat_result) -> Found | None:
        """The valid entry of a file."""
        key = (stat.st_dev, stat.st_ino)
        entry = self._entries.get(key)
        if entry is None or entry[0] != (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size):
            return None
        if key in self._writers:
            return None
        return entry[1]

    def hash_of(self, stat: os.stat_result) -> str:
        """The hash of a file if it is known; else empty."""
        facts = self.known(stat)
        return facts.sha256 if facts else ""

    def keep(self, stat: os.stat_result, facts: Found) -> None:
        """Remember what was found. With a writer about it is kept but will not be believed."""
        self._entries[key_of(stat)] = (stamps_of(stat), facts)
        if len(self._entries) > _MAX_ENTRIES:
            self._entries.popitem(last=False)

    def generation(self, key: Key) -> int:
        """Changes whenever what was read of the file before must not be believed any more."""
        return self._generations.get(key, self._clock)

    def writer_opens(self, key: Key) -> None:
        """Somebody is opening the file for writing."""
        self._writers[key] = self._writers.get(key, 0) + 1
        self._forget(key)
        if len(self._writers) > _MAX_ENTRIES:
            # Opens that failed leave a count behind; dropping one only means that file is hashed again and again.
            self._writers.pop(next(iter(self._writers)))

    def writer_closes(self, key: Key) -> bool:
        """A descriptor open for writing is gone. True when it was the last one we know of."""
        left = self._writers.get(key, 1) - 1
        if left > 0:
            self._writers[key] = left
        else:
            self._writers.pop(key, None)
        self._forget(key)
        return left <= 0

    def clear(self) -> None:
        """Events were lost: nothing is known any more."""
        self._entries.clear()
        self._generations.clear()
        self._clock += 1

    def _forget(self, key: Key) -> None:
        self._entries.pop(key, None)
        self._generations[key] = self.generation(key) + 1
        if len(self._generations) > _MAX_ENTRIES:
            self._generations.clear()
            self._clock += 1 << 20
