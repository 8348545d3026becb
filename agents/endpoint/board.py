"""The memory guardian, worker and syncer share: a heartbeat, a few numbers, and the journal of unanswered
events.

An anonymous mapping made before the first fork, so it outlives every worker. Each word has one writer at a
time.
"""

from __future__ import annotations

import enum
import mmap
import time

JOURNAL_SLOTS = 4_096
FREE, EXEC_PENDING, OPEN_PENDING = 0, 3, 4
SILENCE_NS = 2_000_000_000

ALLOWED = 1


class Word(enum.IntEnum):
    """Index of each number on the board."""

    HEARTBEAT_NS = 0
    READY = 1
    GO = 2
    FALLBACK = 3
    DECISIONS = 4
    RESTARTS = 5
    GUARDIAN_PID = 6
    WORKER_PID = 7
    SYNCER_PID = 8
    P99_US = 9
    RECORDED_PERMITS = 10
    RECORDED_DENIES = 11
    SPOOLED_PERMITS = 12
    SPOOLED_DENIES = 13
    ANSWERED_BY_GUARDIAN = 14


_JOURNAL = 32


class Board:
    """Words and journal; a journal slot is the number of an event's descriptor in the worker."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, (_JOURNAL + JOURNAL_SLOTS) * 8)
        self.words = memoryview(self._memory).cast("Q")

    def __getitem__(self, word: Word) -> int:
        return int(self.words[word])

    def __setitem__(self, word: Word, value: int) -> None:
        self.words[word] = value

    def beat(self) -> None:
        """Say that the worker is alive."""
        self.words[Word.HEARTBEAT_NS] = time.monotonic_ns()

    def silence_ns(self) -> int:
        """How long the worker has not been heard."""
        return time.monotonic_ns() - int(self.words[Word.HEARTBEAT_NS])

    def read(self, fd: int, state: int) -> None:
        """The worker holds this event and has not answered it: EXEC_PENDING or OPEN_PENDING."""
        if 0 <= fd < JOURNAL_SLOTS:
            self.words[_JOURNAL + fd] = state

    def decided(self, fd: int, verdict: int) -> None:
        """The worker is about to answer this event so."""
        if fd < JOURNAL_SLOTS:
            self.words[_JOURNAL + fd] = verdict

    def answered(self, fd: int) -> None:
        """The event is answered and its number may be used again."""
        if fd < JOURNAL_SLOTS:
            self.words[_JOURNAL + fd] = FREE

    def journal(self) -> list[int]:
        """The state of every slot: FREE, one of the two PENDING, or the verdict about to be given."""
        return list(self.words[_JOURNAL : _JOURNAL + JOURNAL_SLOTS])

    def clear_journal(self) -> None:
        """Forget every slot: all of them have been answered."""
        self.words[_JOURNAL : _JOURNAL + JOURNAL_SLOTS] = memoryview(bytes(JOURNAL_SLOTS * 8)).cast("Q")

    def answered_by_guardian(self, verdict: int, *, is_run: bool) -> None:
        """The guardian answered for a worker that could not. A run it answered has no event: the next gap counts it."""
        self[Word.ANSWERED_BY_GUARDIAN] += 1
        if is_run:
            self[Word.RECORDED_PERMITS if verdict == ALLOWED else Word.RECORDED_DENIES] += 1

    def unspooled(self) -> tuple[int, int]:
        """How many (permits, denies) were decided but never reached the spool: lost with a killed worker."""
        permits = self[Word.RECORDED_PERMITS] - self[Word.SPOOLED_PERMITS]
        denies = self[Word.RECORDED_DENIES] - self[Word.SPOOLED_DENIES]
        return max(0, permits), max(0, denies)
