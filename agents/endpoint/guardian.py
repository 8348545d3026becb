"""The guardian: owns the fanotify group, keeps a worker and a syncer running, answers when no worker can.

It never executes anything and never touches the network or a guarded file after the marks are set. It has one
thread, so that forking is safe. While the guardian lives, a killed worker opens nothing: its events wait for
the next one, or for the mode's default after two seconds. When the guardian itself is killed, the kernel lets
everything through.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from agents.endpoint.board import EXEC_PENDING, FREE, JOURNAL_SLOTS, OPEN_PENDING, SILENCE_NS, Board, Word
from agents.endpoint.kernel import fanotify, libc

_TICK_SECONDS = 0.25
_IMPATIENT_SECONDS = 0.02
_STOP_SECONDS = 3.0
_LOADING_SECONDS = 60.0
_FRUITLESS_STARTS = 3
_PAUSE_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_UNDECIDED = (FREE, EXEC_PENDING, OPEN_PENDING)

Child = Callable[[], None]
WorkerChild = Callable[[int], None]


class Guardian:
    """One group, one worker, one syncer. `worker` and `syncer` are called in their forked processes."""

    def __init__(self, board: Board, guarded: list[str], worker: WorkerChild, syncer: Child | None) -> None:
        self._board = board
        self._guarded = guarded
        self._worker = worker
        self._syncer = syncer
        self._group = -1
        self._stopping = False
        self._parent = os.getppid()
        self._started_at = 0.0
        self._decisions_at_start = 0
        self._fruitless = 0
        self._syncer_started_at = -_PAUSE_SECONDS
        self._devices: set[int] = set()
        self._next_look = 0.0
        self._wake, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Guard until told to stop (SIGTERM, SIGINT, or the parent's death). Returns the exit status."""
        self._listen_for_signals()
        self._board[Word.GUARDIAN_PID] = os.getpid()
        libc.set_name("pc-guardian")
        self._start_syncer()
        self._group = fanotify.open_group()
        try:
            self._mark_places()
            self._start_worker()
            while not self._stopping:
                self._turn()
        finally:
            self._stop()
        return 0

    def _turn(self) -> None:
        ready = bool(self._board[Word.GO])
        self._wait(_TICK_SECONDS if ready else _IMPATIENT_SECONDS)
        self._reap()
        if self._board[Word.READY] and not self._board[Word.GO]:
            self._board[Word.GO] = 1
        if time.monotonic() >= self._next_look and self._mark_places():
            self._restart_worker()
        if self._board.silence_ns() > SILENCE_NS:
            self._replace_silent_worker()
        if not self._board[Word.WORKER_PID] and self._may_start_worker():
            self._start_worker()
        if not self._board[Word.SYNCER_PID] and time.monotonic() - self._syncer_started_at > _PAUSE_SECONDS:
            self._start_syncer()

    def _mark_places(self) -> bool:
        """Mark every guarded file system that is not marked yet. True when a place holds another one than before.

        Somebody may mount over a guarded directory, or mount it anew; within a second that is guarded as well.
        """
        self._next_look = time.monotonic() + _LOOK_SECONDS
        found = False
        for path in self._guarded:
            try:
                device = os.stat(path).st_dev  # noqa: PTH116
                if device not in self._devices:
                    fanotify.guard_file_system(self._group, path)
                    self._devices.add(device)
                    found = True
            except OSError:
                if not self._devices:
                    raise
        return found

    def _restart_worker(self) -> None:
        """The next worker starts with the new places."""
        if pid := self._board[Word.WORKER_PID]:
            os.kill(pid, signal.SIGTERM)

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(InterruptedError):
            select.select([self._wake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def _listen_for_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGCHLD, _on_wake)
        signal.signal(signal.SIGUSR1, _on_wake)
        signal.signal(signal.SIGUSR2, self._on_parent_death)
        libc.die_with_parent(signal.SIGUSR2)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _on_parent_death(self, _number: int, _frame: FrameType | None) -> None:
        # The kernel speaks of the parent's *thread*: while the process lives, its number is unchanged.
        self._stopping = os.getppid() != self._parent

    def _start_syncer(self) -> None:
        if self._syncer is None:
            return
        self._syncer_started_at = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._become("pc-syncer", self._syncer)
        self._board[Word.SYNCER_PID] = pid

    def _start_worker(self) -> None:
        self._started_at = time.monotonic()
        self._decisions_at_start = self._board[Word.DECISIONS]
        self._board[Word.READY] = self._board[Word.GO] = 0
        self._board.beat()
        pid = os.fork()
        if pid == 0:
            resource.setrlimit(resource.RLIMIT_NOFILE, (JOURNAL_SLOTS, JOURNAL_SLOTS))
            group = self._group
            self._group = -1
            self._become("pc-worker", lambda: self._worker(group))
        self._board[Word.WORKER_PID] = pid

    def _become(self, name: str, child: Child) -> None:
        """In a forked child: forget that we are the guardian, run, end. Never returns."""
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
                signal.signal(number, signal.SIG_DFL)
            libc.set_name(name)
            libc.die_with_parent()
            if os.getppid() != self._board[Word.GUARDIAN_PID]:
                os._exit(0)
            if self._group >= 0:
                os.close(self._group)
            os.close(self._wake)
            os.close(self._wake_writer)
            child()
        finally:
            if sys.exc_info()[0] is not None:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._board[Word.WORKER_PID]:
                self._worker_ended()
            elif pid == self._board[Word.SYNCER_PID]:
                self._board[Word.SYNCER_PID] = 0

    def _worker_ended(self) -> None:
        """Answer what the dead worker had read, before another can reuse the same descriptor numbers."""
        fallback = self._board[Word.FALLBACK]
        for fd, state in enumerate(self._board.journal()):
            verdict = fallback if state in _UNDECIDED else state
            # A free slot is tried as well: the worker may have died between reading and writing it down.
            with contextlib.suppress(OSError):
                fanotify.answer(self._group, fd, verdict)
                self._board.answered_by_guardian(verdict, is_run=state in (FREE, EXEC_PENDING))
        self._board.clear_journal()
        self._board[Word.WORKER_PID] = self._board[Word.READY] = self._board[Word.GO] = 0
        self._board[Word.RESTARTS] += 1
        fruitful = self._board[Word.DECISIONS] != self._decisions_at_start
        self._fruitless = 0 if fruitful else self._fruitless + 1

    def _may_start_worker(self) -> bool:
        """Whether a worker may start now: one that dies again and again without deciding anything waits."""
        return self._fruitless < _FRUITLESS_STARTS or time.monotonic() - self._started_at > _PAUSE_SECONDS

    def _replace_silent_worker(self) -> None:
        """No sign of life for two seconds: a hung worker goes, and waiting events get the mode's default."""
        pid = self._board[Word.WORKER_PID]
        hopeless = time.monotonic() - self._started_at > _LOADING_SECONDS
        if pid and (self._board[Word.GO] or hopeless):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._worker_ended()
        fallback = self._board[Word.FALLBACK]
        for event in fanotify.read_events(self._group):
            if event.mask & (fanotify.OPEN_EXEC_PERM | fanotify.OPEN_PERM):
                fanotify.answer(self._group, event.fd, fallback)
                is_run = bool(event.mask & fanotify.OPEN_EXEC_PERM)
                self._board.answered_by_guardian(fallback, is_run=is_run)
            os.close(event.fd)

    def _stop(self) -> None:
        for word in (Word.WORKER_PID, Word.SYNCER_PID):
            pid = self._board[word]
            if pid:
                _end(pid)
        if self._group >= 0:
            os.close(self._group)


def _end(pid: int) -> None:
    """Ask a child to end, wait three seconds, then end it."""
    deadline = time.monotonic() + _STOP_SECONDS
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _on_wake(_number: int, _frame: FrameType | None) -> None:
    """The signal's byte in the wake-up pipe is all that is wanted."""
