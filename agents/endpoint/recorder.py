"""The worker's recorder: takes events off the hot path and puts them into the spool, in order, in the
background.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from agents.endpoint.board import Board, Word
from agents.endpoint.spool import DENY, PERMIT, Recorded, Spool

FLUSH_SECONDS = 0.1
_REOPEN_SECONDS = 1.0
_MAX_WAITING = 20_000
_RECORDED = {PERMIT: Word.RECORDED_PERMITS, DENY: Word.RECORDED_DENIES}
_SPOOLED = {PERMIT: Word.SPOOLED_PERMITS, DENY: Word.SPOOLED_DENIES}


class Recorder:
    """`record` never blocks and never fails. What a killed worker had not spooled is told by the board's
    counters.
    """

    def __init__(self, path: Path, boot_id: str, board: Board) -> None:
        self._path = path
        self._boot_id = boot_id
        self._board = board
        self._waiting: deque[Recorded] = deque()
        self._creators: deque[tuple[bytes, str, int]] = deque()
        self._lost = board.unspooled()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.on_start: Callable[[], None] = _nothing

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def record(self, recorded: Recorded) -> None:
        """Have one event written soon."""
        self._board[_RECORDED[recorded.kind]] += 1
        self._waiting.append(recorded)

    def remember_creator(self, handle: bytes, exe: str, at: int) -> None:
        """Have the mirror of created-by told."""
        self._creators.append((handle, exe, at))

    def end(self) -> None:
        """Write what is waiting, then stop. At most two seconds."""
        self._ending.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        self.on_start()
        spool = self._open()
        while spool is None:
            self._waiting.extendleft(reversed(self._within_bounds(self._take())))
            if self._ending.wait(_REOPEN_SECONDS):
                return
            spool = self._open()
        self._flush(spool)
        while not self._ending.wait(FLUSH_SECONDS):
            self._flush(spool)
        self._flush(spool)
        spool.close()

    def _open(self) -> Spool | None:
        """The spool; None while it cannot even be opened."""
        try:
            return Spool(self._path)
        except sqlite3.Error:
            return None

    def _take(self) -> list[Recorded]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _flush(self, spool: Spool) -> None:
        taken = self._take()
        try:
            if any(self._lost):
                self._tell_losses(spool)
            if taken:
                spool.append(self._boot_id, taken)
        except sqlite3.Error:
            # Disk full, busy or damaged: keep the events in order and try again, within bounds.
            self._waiting.extendleft(reversed(self._within_bounds(taken)))
            return
        for one in taken:
            self._board[_SPOOLED[one.kind]] += 1
        creators = [self._creators.popleft() for _ in range(len(self._creators))]
        if creators:
            # The attribute on the file is what counts; a mirror that cannot be written is only missed elsewhere.
            with contextlib.suppress(sqlite3.Error):
                spool.remember_creators(creators)

    def _tell_losses(self, spool: Spool) -> None:
        permits, denies = self._lost
        spool.lose(permits, denies)
        # Only now do they count as dealt with: a worker killed before this leaves them to the next one.
        self._board[Word.SPOOLED_PERMITS] += permits
        self._board[Word.SPOOLED_DENIES] += denies
        self._lost = (0, 0)

    def _within_bounds(self, taken: list[Recorded]) -> list[Recorded]:
        """What to keep in memory while the spool cannot be written: oldest permits go first, and are counted."""
        excess = len(taken) - _MAX_WAITING
        kept = []
        for one in taken:
            if excess > 0 and one.kind == PERMIT:
                excess -= 1
                self._lose(one)
            else:
                kept.append(one)
        for one in kept[: max(0, excess)]:
            self._lose(one)
        return kept[max(0, excess) :]

    def _lose(self, one: Recorded) -> None:
        permits, denies = self._lost
        self._lost = (permits + (one.kind == PERMIT), denies + (one.kind == DENY))


def _nothing() -> None:
    """No thread wants to be told."""
