"""Hashing of large files beside the hot path: a few threads, results handed back through a descriptor to
poll.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from agents.endpoint.files import Key, look_at

THREADS = 2


@dataclass(frozen=True, slots=True)
class Job:
    """One file to hash; `fd` stays open until the result is taken. `generation` is the cache's when it was
    read.
    """

    key: Key
    fd: int
    size: int
    generation: int


@dataclass(frozen=True, slots=True)
class Result:
    """What the job found; an unreadable file has an empty hash."""

    job: Job
    sha256: str
    head: bytes


class HashPool:
    """Submit jobs, wait for `ready` to become readable, take the results."""

    def __init__(self, on_start: Callable[[], None]) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._results: deque[Result] = deque()
        self._on_start = on_start
        self.ready, self._tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def start(self) -> None:
        """Start the threads."""
        for number in range(THREADS):
            threading.Thread(target=self._run, name=f"hash-{number}", daemon=True).start()

    def submit(self, job: Job) -> None:
        """Have one file hashed."""
        self._jobs.put(job)

    def take(self) -> list[Result]:
        """The results there are."""
        try:
            os.read(self.ready, 4096)
        except BlockingIOError:
            return []
        return [self._results.popleft() for _ in range(len(self._results))]

    def _run(self) -> None:
        self._on_start()
        while True:
            job = self._jobs.get()
            try:
                sha256, head = look_at(job.fd, job.size)
            except OSError:
                sha256, head = "", b""
            self._results.append(Result(job, sha256, head))
            try:
                os.write(self._tell, b"x")
            except BlockingIOError:
                continue
