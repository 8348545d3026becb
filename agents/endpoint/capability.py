"""Whether this kernel lets this user guard anything: tried for real, on a private tmpfs nobody else sees."""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import time

from agents.endpoint.kernel import fanotify, libc

_PATIENCE_SECONDS = 5
_SCRIPT = b"#!/bin/sh\nexit 0\n"


def can_guard() -> tuple[bool, str]:
    """(True, "") when a forbidden program really is stopped here; else False and the reason, for people.

    Starts a child with its own mounts, lets it forbid a script on a tmpfs and tries to run it. At most 5
    seconds.
    """
    if sys.platform != "linux":
        return False, f"only Linux has fanotify, this is {sys.platform}"
    if os.geteuid() != 0:
        return False, "guarding needs root"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _report(writing)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], _PATIENCE_SECONDS)
        reason = os.read(reading, 4096).decode("utf-8", "replace") if ready else "the attempt did not end"
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return (True, "") if reason == "ok" else (False, reason or "the attempt broke off")


def _report(writing: int) -> None:
    """In the child: try, write "ok" or the reason, end. Never returns."""
    try:
        libc.die_with_parent()
        os.write(writing, _attempt().encode())
    except OSError as error:
        os.write(writing, (error.strerror or str(error)).encode())
    finally:
        os._exit(0)


def _attempt() -> str:
    libc.unshare_mounts()
    with tempfile.TemporaryDirectory(prefix="portcullis-") as directory:
        libc.mount_tmpfs("portcullis-trial", directory, "size=1m,mode=0755")
        try:
            return _forbid_a_script(directory)
        finally:
            libc.unmount(directory)


def _forbid_a_script(directory: str) -> str:
    script = f"{directory}/forbidden"
    fd = os.open(script, os.O_WRONLY | os.O_CREAT, 0o755)
    os.write(fd, _SCRIPT)
    os.close(fd)
    start, go = os.pipe()
    # The runner exists before the group does: a copy of the group in it would block it for ever.
    runner = os.fork()
    if runner == 0:
        _run_when_told(start, script)
    group = fanotify.open_group()
    fanotify.guard_file_system(group, directory)
    os.write(go, b"x")
    deadline = time.monotonic() + _PATIENCE_SECONDS - 1
    while time.monotonic() < deadline:
        for event in fanotify.read_events(group):
            fanotify.answer(group, event.fd, fanotify.DENY)
            os.close(event.fd)
        ended, status = os.waitpid(runner, os.WNOHANG)
        if ended:
            stopped = os.waitstatus_to_exitcode(status) == 1
            return "ok" if stopped else "a forbidden script ran all the same"
        time.sleep(0.001)
    os.kill(runner, signal.SIGKILL)
    return "the kernel asked nobody before it ran a forbidden script"


def _run_when_told(start: int, script: str) -> None:
    """In the grandchild: exit status 1 when the script is refused, 0 when it ran. Never returns."""
    try:
        libc.die_with_parent()
        os.read(start, 1)
        os.execv(script, [script])  # noqa: S606
    except PermissionError:
        os._exit(1)
    finally:
        os._exit(2)
