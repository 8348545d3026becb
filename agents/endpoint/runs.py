"""What belongs to one and the same run, so that it is decided and recorded once.

An execve asks twice for the same file (to execute, then to open). A `#!` script is asked for by the execve, then its
interpreter is asked for, then the interpreter opens the script. It loads the same modules in every run. An
interpreter may open its script several times.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

from agents.endpoint.files import Key, key_of
from agents.endpoint.interpreters import family_by_name
from agents.endpoint.observation import Question
from policies.engine.facts import FileFacts

_MAX_ENTRIES = 4_096
_RUN_NS = 10_000_000_000
_CHAIN_NS = 1_000_000_000
_PART_NS = 600_000_000_000
_MAX_PARTS = 65_536


@dataclass(frozen=True, slots=True)
class _Run:
    sha256: str
    verdict: int
    until_ns: int


class Runs:
    """Used by the worker's main thread only."""

    def __init__(self) -> None:
        self._second: dict[int, Key] = {}
        self._runs: OrderedDict[tuple[int, Key], _Run] = OrderedDict()
        self._chains: OrderedDict[int, tuple[str, int]] = OrderedDict()
        self._parts: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def expect_second_question(self, tid: int, key: Key) -> None:
        """The kernel asks this thread's execve again at once, as a plain open."""
        if len(self._second) > _MAX_ENTRIES:
            self._second.clear()
        self._second[tid] = key

    def is_second_question(self, tid: int, key: Key) -> bool:
        """Whether this open is the second half of an execve just answered; true only once."""
        return self._second.pop(tid, None) == key

    def verdict_of(self, pid: int, key: Key, sha256: str) -> int | None:
        """What was decided for this process and this very content within the last ten seconds."""
        run = self._runs.get((pid, key))
        if run is None or run.sha256 != sha256 or not sha256 or run.until_ns < time.monotonic_ns():
            return None
        return run.verdict

    def has_seen_part(self, facts: FileFacts) -> bool:
        """Whether a program loaded this very code as a part before, in the last ten minutes: told once is enough."""
        key, now = (facts.sha256, facts.path, facts.process), time.monotonic_ns()
        seen_until = self._parts.get(key, 0)
        if not facts.sha256 or now >= seen_until:
            self._parts[key] = now + _PART_NS
            if len(self._parts) > _MAX_PARTS:
                self._parts.popitem(last=False)
        return bool(facts.sha256) and now < seen_until

    def remember(self, question: Question, pid: int, facts: FileFacts, verdict: int) -> bool:
        """Note a decision. True when it only follows from another one: the interpreter of a script just permitted."""
        now = time.monotonic_ns()
        if facts.action_type == "script":
            self._runs[pid, key_of(question.stat)] = _Run(facts.sha256, verdict, now + _RUN_NS)
            if question.family is None:
                self._chains[question.tid] = (facts.process, now + _CHAIN_NS)
            for memory in (self._runs, self._chains):
                if len(memory) > _MAX_ENTRIES:
                    memory.popitem(last=False)
            return False
        if question.tid not in self._chains:
            return False
        launcher, until = self._chains.pop(question.tid)
        return launcher == facts.process and now < until and family_by_name(facts.path) is not None
