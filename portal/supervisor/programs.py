"""A program that runs for as long as Portcullis does, and how one of them is started and ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.supervisor.account import Account, popen_arguments
from portal.supervisor.layout import CHECKOUT

PR_SET_PDEATHSIG = 1


def always_ready() -> bool:
    return True


def nothing_to_mend() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and when it counts as running.

    `mend` runs before every start and clears what a killed predecessor left. `ready` is asked several times
    a second and must answer at once. `stop_signal` asks it to end; after `grace_seconds` its whole process
    group is killed. When an essential program fails for good, everything ends.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = CHECKOUT
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0
    ready: Callable[[], bool] = always_ready
    ready_within_seconds: float = 60.0
    mend: Callable[[], None] = nothing_to_mend
    essential: bool = True


def spawn(program: Program, log: Path) -> subprocess.Popen[bytes]:
    """Start the program as leader of its own session and process group; its output is appended to `log`.

    Call it from the main thread: on Linux the kernel ends the program when the thread that made it ends.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            program.argv,
            cwd=program.directory,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=ends_with_parent(program.stop_signal),
            **popen_arguments(program.account),
        )


def ends_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel sends `number` when our process dies, even by kill -9. Linux only."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask_kernel() -> None:  # runs after the change of account, which would clear the request
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def signal_group(group: int, number: signal.Signals) -> bool:
    """Signal every process of the group; False when none is left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def ask_to_end(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    """Once: some programs take a second signal for impatience and drop what they are doing."""
    if process.poll() is None:
        process.send_signal(stop_signal)


def see_off(process: subprocess.Popen[bytes], grace_seconds: float) -> bool:
    """Wait for a process that was asked to end, then kill its group. True when it went by itself in time."""
    try:
        process.wait(grace_seconds)
        in_time = True
    except subprocess.TimeoutExpired:
        in_time = False
    signal_group(process.pid, signal.SIGKILL)  # its own children too, which may outlive it
    process.wait()
    return in_time


def wait_until(question: Callable[[], bool], seconds: float, pause_seconds: float = 0.05) -> bool:
    """Ask until the answer is yes; False when `seconds` went by first."""
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_seconds)
    return True
