"""Ends running programs that a deny with *kill running* stops: asked to end first, ended after a grace.

A process is ended only when that very policy denies it in the mode of this moment, by everything that is possible about
it. The agent, its parents and the first process are never looked at.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from agents.endpoint.board import Board, Word
from agents.endpoint.bundles import Loaded
from agents.endpoint.ruling import RuleBook
from agents.endpoint.running import Possible, Running, Sight, ancestors
from policies.engine.decision import Decision
from policies.engine.facts import FileFacts

GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.25
_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """One program that was told to end, as it is to be recorded."""

    facts: FileFacts
    decision: Decision
    size: int


@dataclass(frozen=True, slots=True)
class _Dying:
    handle: int
    running: Running
    deadline: float


class Ender:
    """One thread. `ended` is emptied by the worker's main thread, which records."""

    def __init__(self, book: RuleBook, sight: Sight, board: Board, *, grace: float = GRACE_SECONDS) -> None:
        self._book = book
        self._sight = sight
        self._board = board
        self._grace = grace
        self._dying: dict[int, _Dying] = {}
        self._seen: tuple[Loaded | None, str] = (None, "")
        self._next_sweep = 0.0
        self.ended: deque[Ended] = deque()

    def start(self, on_start: Callable[[], None]) -> None:
        """Look from now on."""
        threading.Thread(target=self._run, args=(on_start,), name="ender", daemon=True).start()

    def _run(self, on_start: Callable[[], None]) -> None:
        on_start()
        while True:
            self.turn()
            time.sleep(_LOOK_SECONDS)

    def turn(self) -> None:
        """Look at all that runs when bundle or mode are new, and now and then; see after those that are dying."""
        self._see_after()
        now = (self._book.loaded, self._book.mode)
        loaded = now[0]
        if loaded is None or not loaded.killing:
            self._seen = now
            return
        if now[0] is self._seen[0] and now[1] == self._seen[1] and time.monotonic() < self._next_sweep:
            return
        self._seen = now
        self._next_sweep = time.monotonic() + _AGAIN_SECONDS
        self.sweep()

    def sweep(self) -> None:
        """Tell every running program to end that a deny with *kill running* denies."""
        spared = self._spared()
        for running in self._sight.processes(spare=spared | self._dying.keys()):
            doomed = self._doomed(running)
            if doomed is not None:
                self._tell(running, doomed)

    def _spared(self) -> set[int]:
        own = {os.getpid(), self._board[Word.SYNCER_PID], self._board[Word.WORKER_PID]}
        return own | ancestors(self._board[Word.GUARDIAN_PID]) | ancestors(os.getpid())

    def _doomed(self, running: Running) -> Ended | None:
        """Why it must end; None when it may go on."""
        for possible in (running.program, running.script):
            decision = self._decision_on_all(possible)
            if decision is not None:
                return Ended(possible[0], decision, running.size)
        return None

    def _decision_on_all(self, possible: Possible) -> Decision | None:
        """The decision when the same policy ends it whichever of these facts are the true ones."""
        decisions = [self._book.killing_decision(facts) for facts in possible]
        first = decisions[0] if decisions else None
        same = first is not None and all(one is not None and one.policy == first.policy for one in decisions)
        return first if same else None

    def _tell(self, running: Running, ended: Ended) -> None:
        try:
            handle = os.pidfd_open(running.pid)
        except OSError:
            return
        try:
            # The handle names one process for ever: what is looked at now is what the signal will reach.
            again = self._sight.look(running.pid)
            if again is None or again.key != running.key or self._doomed(again) is None:
                os.close(handle)
                return
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        except (OSError, ValueError):
            os.close(handle)
            return
        self._dying[running.pid] = _Dying(handle, running, time.monotonic() + self._grace)
        self.ended.append(ended)

    def _see_after(self) -> None:
        for pid, dying in list(self._dying.items()):
            gone = bool(select.select([dying.handle], [], [], 0)[0])
            if not gone and time.monotonic() < dying.deadline:
                continue
            if not gone and self._still_runs_it(dying):
                with contextlib.suppress(OSError):
                    signal.pidfd_send_signal(dying.handle, signal.SIGKILL)
            os.close(dying.handle)
            del self._dying[pid]

    def _still_runs_it(self, dying: _Dying) -> bool:
        """Whether the process did not become another, permitted program in the meantime."""
        try:
            now = self._sight.look(dying.running.pid)
        except (OSError, ValueError):
            return False
        return now is not None and self._doomed(now) is not None
