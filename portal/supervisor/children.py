"""The children of the supervisor: started in order, watched, restarted after a pause, stopped in reverse."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from portal.supervisor import logs
from portal.supervisor.console import Console
from portal.supervisor.errors import ChildGaveUp, StartRefused, Stopped
from portal.supervisor.layout import CHECKOUT
from portal.supervisor.programs import Program, ask_to_end, see_off, signal_group, spawn

QUICK_SECONDS = 30.0
QUICK_ENDS_ALLOWED = 5
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0
READY_PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Child:
    program: Program
    log: Path
    process: subprocess.Popen[bytes]
    started_at: float
    reader: logs.Reader
    batch: int
    quick_ends: int = 0
    again_at: float | None = None


@dataclass(slots=True)
class Children:
    """All programs of one run. Leaving it as a context manager stops them: last started first, a batch at a time.

    `lock` is the open file of the run lock: the guard holds on to it, so that the next start waits for its work.
    """

    log_directory: Path
    console: Console
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: int | None = None
    running: list[Child] = field(default_factory=list)
    guard: subprocess.Popen[str] | None = None
    batches: int = 0

    def __enter__(self) -> Children:
        self._start_guard()
        return self

    def __exit__(self, *_: object) -> None:
        for batch in reversed(range(self.batches + 1)):
            self._stop(*(child for child in self.running if child.batch == batch))
        self.running.clear()
        if self.guard and self.guard.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.guard.stdin.close()
            self.guard.wait()

    def start(self, *programs: Program) -> None:
        """Start the programs together; return when all are ready. Raises ChildGaveUp, Stopped."""
        self.batches += 1
        started = [self._begin(program) for program in programs]
        for child in started:
            self._wait_until_ready(child)

    def _begin(self, program: Program) -> Child:
        log = logs.prepare(self.log_directory, program.name)
        reader = logs.Reader.from_end(log)
        child = Child(program, log, self._spawn(program, log), time.monotonic(), reader, self.batches)
        self.running.append(child)
        return child

    def _wait_until_ready(self, child: Child) -> None:
        patience = child.program.ready_within_seconds
        deadline = time.monotonic() + patience
        while child in self.running and not (child.process.poll() is None and child.program.ready()):
            self._check_stopping()
            self._look_after(child)
            if time.monotonic() > deadline:
                self._give_up(child, f"was not ready in {patience:.0f} s")
            time.sleep(READY_PAUSE_SECONDS)

    def complete(self, program: Program) -> None:
        """Run the program to its end. Raises StartRefused with its last lines when it fails."""
        log = logs.prepare(self.log_directory, program.name)
        reader = logs.Reader.from_end(log)
        process = self._spawn(program, log)
        while process.poll() is None:
            self._show(program.name, reader)
            if self.stopping.wait(READY_PAUSE_SECONDS):
                ask_to_end(process, program.stop_signal)
                see_off(process, program.grace_seconds)
        self._tell_guard(f"-{process.pid}")
        self._check_stopping()
        if process.returncode:
            raise StartRefused(
                f"{program.name} failed ({process.returncode}).\n{logs.last_lines(log)}\n  whole log: {log}"
            )

    def look_after(self) -> None:
        """One round: start again what has ended and whose pause is over. Raises ChildGaveUp."""
        if self.guard and self.guard.poll() is not None:
            self._start_guard()
        for child in tuple(self.running):
            self._look_after(child)
            logs.limit(child.log)

    def _look_after(self, child: Child) -> None:
        self._show(child.program.name, child.reader)
        if child.process.poll() is None:
            return
        now = time.monotonic()
        if child.again_at is None:
            self._note_end(child, now)
        elif now >= child.again_at:
            child.process, child.started_at, child.again_at = self._spawn(child.program, child.log), now, None

    def _note_end(self, child: Child, now: float) -> None:
        signal_group(child.process.pid, signal.SIGKILL)  # what it had started itself would hold its port
        self._tell_guard(f"-{child.process.pid}")
        child.quick_ends = child.quick_ends + 1 if now - child.started_at < QUICK_SECONDS else 1
        if child.quick_ends >= QUICK_ENDS_ALLOWED:
            self._give_up(child, f"ended {child.quick_ends} times in a row")
            return
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (child.quick_ends - 1), LONGEST_PAUSE_SECONDS)
        child.again_at = now + pause
        self.console.say(f"{child.program.name} ended ({how_it_ended(child.process)}); again in {pause:.2g} s")

    def _give_up(self, child: Child, what: str) -> None:
        """What is essential ends everything; anything else is let go, and the person is told."""
        message = f"{child.program.name} {what}.\n{logs.last_lines(child.log)}\n  whole log: {child.log}"
        if child.program.essential:
            raise ChildGaveUp(message)
        self.running.remove(child)
        self._stop(child)
        self.console.say(f"{message}\n  Portcullis goes on without it.")

    def _show(self, name: str, reader: logs.Reader) -> None:
        if self.console.verbose:
            for line in reader.new_lines():
                self.console.plain(f"{name:>10} | {line}")

    def _check_stopping(self) -> None:
        if self.stopping.is_set():
            raise Stopped

    def _spawn(self, program: Program, log: Path) -> subprocess.Popen[bytes]:
        program.mend()
        process = spawn(program, log)
        self._tell_guard(f"+{process.pid} {int(program.stop_signal)}")
        return process

    def _stop(self, *children: Child) -> None:
        """End them at the same time; whoever does not go in time is killed."""
        for child in children:
            ask_to_end(child.process, child.program.stop_signal)
        for child in children:
            program = child.program
            if not see_off(child.process, program.grace_seconds):
                self.console.say(f"{program.name} did not stop within {program.grace_seconds:.0f} s and was killed")
            self._tell_guard(f"-{child.process.pid}")

    def _start_guard(self) -> None:
        command = (sys.executable, "-m", "portal.supervisor.guard")
        self.guard = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
            pass_fds=() if self.lock is None else (self.lock,),
            env=bare_environment(),
        )
        for child in self.running:
            self._tell_guard(f"+{child.process.pid} {int(child.program.stop_signal)}")

    def _tell_guard(self, line: str) -> None:
        if self.guard and self.guard.stdin:
            with contextlib.suppress(BrokenPipeError):  # a guard that died is started again in the next round
                self.guard.stdin.write(line + "\n")


def bare_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "PYTHONDONTWRITEBYTECODE": "1"}


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
