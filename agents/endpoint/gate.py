"""Answering the kernel, with the journal kept and the time taken."""

from __future__ import annotations

import contextlib
import time
from collections import deque

from agents.endpoint.board import Board, Word
from agents.endpoint.kernel import fanotify

_SAMPLES = 1_024
_PUBLISH_NS = 1_000_000_000


class Gate:
    """One per worker. `answer` says to the guardian's journal what it is about to do, does it, and says that
    it did.
    """

    def __init__(self, group: int, board: Board) -> None:
        self._group = group
        self._board = board
        self._latencies: deque[int] = deque(maxlen=_SAMPLES)
        self._published = 0

    def answer(self, fd: int, verdict: int, asked_ns: int = 0) -> None:
        """Answer one event. Nobody waiting any more (the asking process was killed) is fine."""
        self._board.decided(fd, verdict)
        with contextlib.suppress(FileNotFoundError):
            fanotify.answer(self._group, fd, verdict)
        self._board.answered(fd)
        if asked_ns:
            self._board[Word.DECISIONS] += 1
            self._latencies.append(time.monotonic_ns() - asked_ns)

    def publish(self) -> None:
        """Put the 99th percentile of the last thousand answers on the board, once a second."""
        now = time.monotonic_ns()
        if now - self._published < _PUBLISH_NS or not self._latencies:
            return
        self._published = now
        ordered = sorted(self._latencies)
        self._board[Word.P99_US] = ordered[len(ordered) * 99 // 100] // 1_000
