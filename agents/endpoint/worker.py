"""The worker: reads the kernel's questions, answers them, records what it answered. One thread answers
everything.

That thread opens nothing but /proc and hashes nothing large, so it can always answer, also the questions its
own other threads cause. Permission first, record after.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat as statmode
import time
from dataclasses import dataclass
from types import FrameType

from agents.endpoint.board import EXEC_PENDING, OPEN_PENDING, SILENCE_NS, Board, Word
from agents.endpoint.creators import Creators
from agents.endpoint.ender import Ender
from agents.endpoint.files import INLINE_BYTES, FileCache, Found, Key, key_of, look_at, stamps_of
from agents.endpoint.gate import Gate
from agents.endpoint.hash_pool import HashPool, Job, Result
from agents.endpoint.interpreters import Family, Interpreters, may_be_run, reads_as
from agents.endpoint.kernel import fanotify, process
from agents.endpoint.launches import Launches
from agents.endpoint.observation import Observer, Question, file_path, process_path
from agents.endpoint.recorder import Recorder
from agents.endpoint.ruling import RuleBook
from agents.endpoint.runs import Runs

_TICK_NS = 50_000_000
_POLL_MS = 50
_NICENESS = -14


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker works with. `own_threads` grows as its threads start; `is_own` knows the agent's
    processes.
    """

    gate: Gate
    book: RuleBook
    files: FileCache
    pool: HashPool
    creators: Creators
    interpreters: Interpreters
    observer: Observer
    recorder: Recorder
    launches: Launches
    ender: Ender
    own_threads: set[int]


class Worker:
    """Answers until told to end (SIGTERM)."""

    def __init__(self, group: int, board: Board, parts: Parts) -> None:
        self._group = group
        self._board = board
        self._gate = parts.gate
        self._book = parts.book
        self._files = parts.files
        self._pool = parts.pool
        self._creators = parts.creators
        self._interpreters = parts.interpreters
        self._observer = parts.observer
        self._recorder = parts.recorder
        self._launches = parts.launches
        self._ended = parts.ender.ended
        self._own = parts.own_threads
        self._runs = Runs()
        self._hashing: dict[Key, list[Question]] = {}
        self._next_tick = 0
        self._ending = False

    def run(self) -> None:
        """Wait for the guardian's go, then answer."""
        signal.signal(signal.SIGTERM, self._on_end)
        with contextlib.suppress(PermissionError):
            # This thread alone: programs wait for it to start, while nothing waits for the others.
            os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
        self._tick()
        self._board[Word.READY] = 1
        os.kill(self._board[Word.GUARDIAN_PID], signal.SIGUSR1)
        while not self._board[Word.GO] and not self._ending:
            self._board.beat()
            time.sleep(0.001)
        poller = select.epoll()
        poller.register(self._group, select.EPOLLIN)
        poller.register(self._pool.ready, select.EPOLLIN)
        while not self._ending:
            for fd, _ in poller.poll(_POLL_MS / 1000):
                if fd == self._group:
                    self._read()
                else:
                    self._take_results()
            if time.monotonic_ns() >= self._next_tick:
                self._tick()
        self._recorder.end()

    def _on_end(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True

    def _tick(self) -> None:
        self._next_tick = time.monotonic_ns() + _TICK_NS
        self._board.beat()
        self._book.refresh_mode()
        self._board[Word.FALLBACK] = self._book.fallback()
        self._gate.publish()
        while self._ended:
            ended = self._ended.popleft()
            self._recorder.record(self._book.killed(ended.facts, ended.decision, ended.size))
        overdue = time.monotonic_ns() - SILENCE_NS
        for questions in self._hashing.values():
            for question in questions:
                if question.is_asked and question.asked_ns < overdue:
                    self._answer_without_hash(question)

    def _read(self) -> None:
        events = list(fanotify.read_events(self._group))
        now = time.monotonic_ns()
        for event in events:
            is_run = event.mask & fanotify.OPEN_EXEC_PERM
            self._board.read(event.fd, EXEC_PENDING if is_run else OPEN_PENDING)
        for event in events:
            self._take(event, now)

    def _take(self, event: fanotify.KernelEvent, now: int) -> None:
        mask, fd, tid = event
        if fd < 0:
            self._files.clear()
        elif tid in self._own:
            self._pass(fd, mask)
        elif mask & fanotify.OPEN_EXEC_PERM:
            self._judge(Question(fd, tid, os.fstat(fd), now))
        elif mask & fanotify.OPEN_PERM:
            self._on_open(fd, tid, now)
        else:
            self._on_close(fd, tid, now)

    def _pass(self, fd: int, mask: int = fanotify.OPEN_PERM) -> None:
        if mask & (fanotify.OPEN_PERM | fanotify.OPEN_EXEC_PERM):
            self._gate.answer(fd, fanotify.ALLOW)
        else:
            self._board.answered(fd)
        os.close(fd)

    def _on_open(self, fd: int, tid: int, now: int) -> None:
        stat = os.fstat(fd)
        key = key_of(stat)
        if self._runs.is_second_question(tid, key):
            self._pass(fd)
            return
        writes = process.opens_for_writing(tid)
        if writes:
            self._files.writer_opens(key)
            self._creators.note(stat, process_path(tid), process.user_of(tid))
        elif writes is not None and statmode.S_ISREG(stat.st_mode):
            family = self._interpreters.family_of(tid)
            if family is not None:
                self._on_read(Question(fd, tid, stat, now, family=family), family)
                return
        self._pass(fd)

    def _on_read(self, question: Question, family: Family) -> None:
        question.path = file_path(question.fd, question.stat)
        reading = reads_as(family, question.tid, question.path, question.stat, question.fd)
        if not reading:
            self._pass(question.fd)
            return
        question.is_part = reading == "part"
        question.action_type = "execute" if family.name == "loader" else "script"
        self._judge(question)

    def _on_close(self, fd: int, tid: int, now: int) -> None:
        stat = os.fstat(fd)
        self._board.answered(fd)
        writing = None
        if self._files.writer_closes(key_of(stat)):
            writing = self._creators.commit(fd, stat)
        if writing is None or self._book.mode != "installation" or not may_be_run(fd, stat):
            os.close(fd)
            return
        question = Question(fd, tid, stat, now, action_type="install", is_asked=False, writer=writing.exe)
        question.uid = writing.user
        self._judge(question)

    def _judge(self, question: Question) -> None:
        found = self._files.known(question.stat)
        if found is None:
            if question.stat.st_size > INLINE_BYTES:
                self._hash_later(question)
                return
            found = self._look_now(question)
        self._rule(question, found)

    def _look_now(self, question: Question) -> Found:
        try:
            sha256, head = look_at(question.fd, question.stat.st_size)
        except OSError:
            return Found("", b"", self._creators.of(question.fd))
        found = Found(sha256, head, self._creators.of(question.fd))
        self._files.keep(question.stat, found)
        return found

    def _hash_later(self, question: Question) -> None:
        key = key_of(question.stat)
        waiting = self._hashing.get(key)
        if waiting is not None:
            waiting.append(question)
            return
        self._hashing[key] = [question]
        self._pool.submit(Job(key, question.fd, question.stat.st_size, self._files.generation(key)))

    def _take_results(self) -> None:
        for result in self._pool.take():
            self._take_result(result)

    def _take_result(self, result: Result) -> None:
        job = result.job
        questions = self._hashing.pop(job.key)
        is_wanted = any(question.is_asked for question in questions)
        if self._files.generation(job.key) != job.generation and is_wanted:
            # Somebody wrote meanwhile: what was read is not what would run.
            self._hashing[job.key] = questions
            self._pool.submit(Job(job.key, job.fd, job.size, self._files.generation(job.key)))
            return
        found = Found(result.sha256, result.head, self._creators.of(job.fd))
        now = os.fstat(job.fd)
        if result.sha256 and stamps_of(now) == stamps_of(questions[0].stat):
            self._files.keep(now, found)
        for question in questions:
            if question.is_asked or question.action_type == "install":
                self._rule(question, found)
            else:
                os.close(question.fd)

    def _answer_without_hash(self, question: Question) -> None:
        """Two seconds are over: the mode's default now, the hash in the cache for the next time."""
        facts = self._observer.facts(question, Found("", b"", ""))
        ruling = self._book.out_of_time()
        self._gate.answer(question.fd, ruling.verdict, question.asked_ns)
        question.is_asked = False
        self._recorder.record(self._book.event(facts, ruling, question.stat.st_size))

    def _rule(self, question: Question, found: Found) -> None:
        """Decide, answer, record, close."""
        key = key_of(question.stat)
        if question.action_type == "execute" and found.is_script:
            question.action_type = "script"
        # Only what belongs to a longer run is looked up by its process: that costs as much as the rest together.
        pid = self._pid_of(question.tid) if question.action_type == "script" or question.family else 0
        run = self._runs.verdict_of(pid, key, found.sha256) if question.family else None
        if run is not None or self._is_ours(pid) or self._is_loader(question, found):
            self._finish(question, key, fanotify.ALLOW if run is None else run)
            return
        facts = self._observer.facts(question, found)
        ruling = self._book.rule(facts)
        was_asked = question.is_asked
        self._finish(question, key, ruling.verdict)
        if was_asked:
            follows = self._runs.remember(question, pid, facts, ruling.verdict)
            if ruling.verdict == fanotify.ALLOW and not question.is_part:
                self._launches.note(pid or question.tid, key, facts, question.stat.st_size, follows=follows)
            if follows and ruling.verdict == fanotify.ALLOW:
                return
        is_old = question.is_part and ruling.verdict == fanotify.ALLOW and self._runs.has_seen_part(facts)
        if not ruling.is_silent and not is_old:
            self._recorder.record(self._book.event(facts, ruling, question.stat.st_size))

    def _pid_of(self, tid: int) -> int:
        who = process.identity(tid)
        return who.pid if who else tid

    def _is_ours(self, pid: int) -> bool:
        return pid != 0 and pid in (self._board[Word.GUARDIAN_PID], self._board[Word.SYNCER_PID])

    def _is_loader(self, question: Question, found: Found) -> bool:
        """The dynamic loader loaded for another program: of itself it runs nothing."""
        return question.family is None and question.is_asked and self._interpreters.is_loader(found.sha256)

    def _finish(self, question: Question, key: Key, verdict: int) -> None:
        if question.is_asked:
            if question.family is None and verdict == fanotify.ALLOW:
                self._runs.expect_second_question(question.tid, key)
            self._gate.answer(question.fd, verdict, question.asked_ns)
        os.close(question.fd)
