"""From a kernel event to the facts a decision looks at: paths that mean what they say, launcher, user,
arguments.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from agents.endpoint.files import Found
from agents.endpoint.interpreters import Family
from agents.endpoint.kernel import process
from agents.endpoint.users import Users
from policies.engine.facts import FileFacts

# The hot path: a Path costs more than the system call.
# ruff: noqa: PTH115, PTH116

ELSEWHERE = "(other mount)"


@dataclass(slots=True)
class Question:
    """One file somebody wants to run, read as a script, or has just installed.

    `fd` is the event's descriptor, `path` its path if that was read already. `family` is the interpreter that opens
    it, None for an execve; `is_part`: not its script, but a module or a sourced file. `is_asked`: somebody waits for
    the answer; false once answered, and for files written.
    """

    fd: int
    tid: int
    stat: os.stat_result
    asked_ns: int
    family: Family | None = None
    path: str = ""
    action_type: str = "execute"
    is_part: bool = False
    is_asked: bool = True
    writer: str = ""
    uid: int = -1


class Observer:
    """Reads the facts of one question. Used by the worker's main thread while the asking thread is blocked."""

    def __init__(self, users: Users) -> None:
        self._users = users

    def facts(self, question: Question, found: Found) -> FileFacts:
        """All facts of one question, in normal form."""
        if question.family is not None:
            words = process.arguments(question.tid)
        elif question.is_asked:
            words = process.arguments_of_execve(question.tid)
        else:
            words = []
        uid = question.uid if question.writer else process.user_of(question.tid)
        return FileFacts(
            path=question.path or file_path(question.fd, question.stat),
            sha256=found.sha256,
            process=question.writer or process_path(question.tid),
            created_by=found.created_by,
            command_line=" ".join(words),
            user=self._users.name(uid) if uid >= 0 else "",
            os="linux",
            action_type=question.action_type,
        )


def file_path(fd: int, stat: os.stat_result) -> str:
    """The path of an open file as this computer sees it.

    Somebody with mounts of their own can give a file any path; then it is marked, so that no permit for that
    path matches by accident while patterns that begin with `*` still do. A deleted file ends in " (deleted)".
    """
    try:
        raw = os.readlink(b"/proc/self/fd/%d" % fd)
    except OSError:
        return ""
    path = process.text(raw)
    return path if stat.st_nlink == 0 or _is_at(raw, stat) else ELSEWHERE + path


def process_path(tid: int) -> str:
    """The path of the program a thread runs, marked like `file_path`; empty when unreadable."""
    stat = process.executable_stat(tid)
    if stat is None:
        return ""
    try:
        raw = os.readlink(b"/proc/%d/exe" % tid)
    except OSError:
        return ""
    path = process.text(raw)
    return path if stat.st_nlink == 0 or _is_at(raw, stat) else ELSEWHERE + path


def _is_at(path: bytes, stat: os.stat_result) -> bool:
    try:
        there = os.stat(path)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino)
