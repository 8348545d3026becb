"""Puts one agent together: refuses what would block the computer, then guardian, worker and syncer, each in
its process.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.endpoint import spool
from agents.endpoint.board import Board, Word
from agents.endpoint.clock import Sources, TrustedClock
from agents.endpoint.creators import Creators
from agents.endpoint.ender import Ender
from agents.endpoint.files import FileCache
from agents.endpoint.gate import Gate
from agents.endpoint.guardian import Guardian
from agents.endpoint.hash_pool import HashPool
from agents.endpoint.interpreters import Interpreters, Survey
from agents.endpoint.kernel import fanotify
from agents.endpoint.launches import Launches
from agents.endpoint.link import WorkerEnd
from agents.endpoint.modes import ModeKeeper
from agents.endpoint.observation import Observer
from agents.endpoint.recorder import Recorder
from agents.endpoint.ruling import RuleBook
from agents.endpoint.running import Sight
from agents.endpoint.spool import CreatorMirror
from agents.endpoint.store import Store
from agents.endpoint.users import Users
from agents.endpoint.worker import Parts, Worker

_SWITCH_SECONDS = 0.0005

Syncer = Callable[[Store, Board, socket.socket, tuple[str, ...]], None]


class CannotGuard(RuntimeError):
    """The agent will not start like this; `str()` says what to change."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `run` was told."""

    store: Store
    guarded: tuple[str, ...]


def run(options: Options, syncer: Syncer | None) -> int:
    """Guard until told to stop. Returns the exit status. Raises CannotGuard before anything is guarded."""
    check_places(options)
    lock = options.store.lock()
    survey = Survey.make()
    users = Users()
    board = Board()
    state = options.store.state()
    has_bundle = state is not None and state.version > 0
    board[Word.FALLBACK] = fanotify.DENY if has_bundle else fanotify.ALLOW
    worker_end, syncer_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # Made here once: the children only open it.
    spool.prepare(options.store.spool, is_enrolled=options.store.identity() is not None)

    def work(group: int) -> None:
        syncer_end.close()
        _work(group, options.store, board, worker_end, devices_of(options.guarded), survey, users)

    def sync() -> None:
        worker_end.close()
        if syncer is not None:
            syncer(options.store, board, syncer_end, options.guarded)

    guardian = Guardian(board, list(options.guarded), work, sync if syncer else None)
    try:
        return guardian.run()
    finally:
        os.close(lock)


def devices_of(guarded: tuple[str, ...]) -> frozenset[int]:
    """The file systems that hold these directories now; a directory that is gone counts for none."""
    return frozenset(Path(path).stat().st_dev for path in guarded if Path(path).is_dir())


def check_places(options: Options) -> None:
    """Raises CannotGuard when there is nothing to guard, or the agent's own state would be guarded."""
    if not options.guarded:
        raise CannotGuard("nothing to guard: give at least one --guard DIR")
    for path in options.guarded:
        if not Path(path).is_dir():
            raise CannotGuard(f"{path} is no directory")
    if options.store.root.stat().st_dev in devices_of(options.guarded):
        raise CannotGuard(
            f"the state directory {options.store.root} lies on a guarded file system; the agent would have to ask"
            " itself before it writes there. Give --state a directory on another file system."
        )


def _work(
    group: int,
    store: Store,
    board: Board,
    end: socket.socket,
    devices: frozenset[int],
    survey: Survey,
    users: Users,
) -> None:
    """The worker's process."""
    clock = TrustedClock(Sources.real(), store.clock())
    modes = ModeKeeper(clock, store.mode())
    book = RuleBook(clock, modes)
    own = {threading.get_native_id()}
    join = _joining(own)
    recorder = Recorder(store.spool, clock.boot_id, board)
    recorder.on_start = join
    files = FileCache()
    link = WorkerEnd(end, store, book, clock, modes, devices)
    link.load()
    interpreters = Interpreters(survey, devices.__contains__, files.hash_of)
    launches = Launches()
    sight = Sight(users, launches, CreatorMirror(store.spool), interpreters.family_of_content)
    parts = Parts(
        gate=Gate(group, board),
        book=book,
        files=files,
        pool=HashPool(join),
        creators=Creators(recorder, CreatorMirror(store.spool)),
        interpreters=interpreters,
        observer=Observer(users),
        recorder=recorder,
        launches=launches,
        ender=Ender(book, sight, board),
        own_threads=own,
    )
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    recorder.start()
    parts.pool.start()
    link.start(join, users)
    parts.ender.start(join)
    Worker(group, board, parts).run()
    os._exit(0)


def _joining(own: set[int]) -> Callable[[], None]:
    """What each thread of the worker calls first: from then on its own questions are answered without asking."""

    def join() -> None:
        own.add(threading.get_native_id())

    return join
