"""The facts of programs that run already. What started a program is known for certain only when it was seen starting;
of the others every possibility is told, and who acts on them must find them all alike.
"""

from __future__ import annotations

import contextlib
import os
import stat as statmode
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from agents.endpoint.files import Key, creator_from_xattr, handle_of, key_of, look_at, stamps_of
from agents.endpoint.interpreters import Family, as_seen_by, operand_of
from agents.endpoint.kernel import process
from agents.endpoint.launches import Launch, Launches
from agents.endpoint.observation import file_path, process_path
from agents.endpoint.users import Users
from policies.engine.facts import FileFacts

_MAX_HASHES = 2_048
_TICKS = os.sysconf("SC_CLK_TCK")
_START_FIELD = 19  # of /proc/PID/stat, counted after the name
_SLACK_SECONDS = 0.5

Possible = tuple[FileFacts, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A process. `program` and `script` (empty without one) are its possible facts, which differ only in what cannot
    be known any more; `key` names the file that it runs.
    """

    pid: int
    key: Key
    size: int
    program: Possible
    script: Possible = ()


class Sight:
    """Looks at processes. Used by one thread, never by the one that answers the kernel: it opens and hashes files."""

    def __init__(
        self,
        users: Users,
        launches: Launches,
        mirror: Callable[[bytes], str],
        family_of: Callable[[str, str], Family | None],
    ) -> None:
        self._users = users
        self._launches = launches
        self._mirror = mirror
        self._family_of = family_of
        self._hashes: OrderedDict[tuple[Key, tuple[int, int, int]], str] = OrderedDict()

    def processes(self, *, spare: Collection[int]) -> Iterator[Running]:
        """Every process with a program, but those spared. One that ends meanwhile is left out."""
        for pid in pids():
            if pid not in spare:
                with contextlib.suppress(OSError, ValueError):
                    found = self.look(pid)
                    if found is not None:
                        yield found

    def look(self, pid: int) -> Running | None:
        """One process as it is now; None for a thread of the kernel. Raises OSError when it is gone."""
        try:
            fd = os.open(f"/proc/{pid}/exe", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            stat = os.fstat(fd)
            observed = self._observed(fd, stat, pid)
        finally:
            os.close(fd)
        started = started_at(pid)
        family = self._family_of(observed.path, observed.sha256)
        script = self._script(pid, family, observed, started) if family else ()
        return Running(pid, key_of(stat), stat.st_size, self._program(pid, key_of(stat), observed, started), script)

    def _program(self, pid: int, key: Key, observed: FileFacts, started: float) -> Possible:
        launch = self._launches.program(pid)
        if _is_of(launch, started) and launch is not None and launch.key == key:
            return (launch.facts,)
        who = process.identity(pid)
        launcher = process_path(who.parent) if who and who.parent else ""
        return tuple(replace(observed, process=one) for one in dict.fromkeys((launcher, "")))

    def _script(self, pid: int, family: Family, interpreter: FileFacts, started: float) -> Possible:
        launch = self._launches.script(pid)
        if _is_of(launch, started) and launch is not None:
            return (launch.facts,)
        operand = operand_of(family, pid)
        if operand is None:
            return ()
        argument, stat = operand
        if not statmode.S_ISREG(stat.st_mode) or not (argument.startswith("/") or _has_open(pid, key_of(stat))):
            # A relative name may mean another file by now.
            return ()
        return self._possible_script(pid, as_seen_by(pid, argument), interpreter, started)

    def _possible_script(self, pid: int, name: str, interpreter: FileFacts, started: float) -> Possible:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            stat = os.fstat(fd)
            if not statmode.S_ISREG(stat.st_mode):
                return ()
            seen = replace(self._observed(fd, stat, pid), action_type="script")
        finally:
            os.close(fd)
        who = process.identity(pid)
        launcher = process_path(who.parent) if who and who.parent else ""
        hashes = [seen.sha256]
        if _changed_since(stat, started):
            hashes.append("")
        by = dict.fromkeys((interpreter.path, launcher, ""))
        return tuple(replace(seen, process=one, sha256=sha256) for one in by for sha256 in hashes)

    def _observed(self, fd: int, stat: os.stat_result, pid: int) -> FileFacts:
        creator = creator_from_xattr(fd)
        if creator is None:
            handle = handle_of(fd)
            creator = self._mirror(handle) if handle else ""
        uid = process.user_of(pid)
        return FileFacts(
            path=file_path(fd, stat),
            sha256=self._sha256(fd, stat),
            created_by=creator,
            command_line=" ".join(process.arguments(pid)),
            user=self._users.name(uid) if uid >= 0 else "",
            os="linux",
        )

    def _sha256(self, fd: int, stat: os.stat_result) -> str:
        known = (key_of(stat), stamps_of(stat))
        if known not in self._hashes:
            self._hashes[known] = look_at(fd, stat.st_size)[0]
            if len(self._hashes) > _MAX_HASHES:
                self._hashes.popitem(last=False)
        return self._hashes[known]


def pids() -> list[int]:
    """The numbers of all processes there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def ancestors(pid: int) -> set[int]:
    """A process and everything above it, up to the first one."""
    found = {1}
    while pid and pid not in found:
        found.add(pid)
        who = process.identity(pid)
        pid = who.parent if who else 0
    return found


def started_at(pid: int) -> float:
    """When a process began, in seconds since boot. Raises OSError, ValueError."""
    with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
        fields = file.read(4_096).rpartition(b")")[2].split()
    return int(fields[_START_FIELD]) / _TICKS


def _is_of(launch: Launch | None, started: float) -> bool:
    """Whether a launch is one of this very process: it cannot have been judged before it began."""
    return launch is not None and launch.boot_seconds >= started - _SLACK_SECONDS


def _changed_since(stat: os.stat_result, started: float) -> bool:
    began = time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    return stat.st_ctime > began - _SLACK_SECONDS


def _has_open(pid: int, key: Key) -> bool:
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                if key_of(os.stat(f"/proc/{pid}/fd/{fd}")) == key:  # noqa: PTH116
                    return True
    return False
