"""Attacks on the real agent: a writer with a mapping, a worker killed again and again, a portal that disappears."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agents.endpoint.mounts import mount_demo, unmount_demo
from policies.engine.rules import FileRule
from tests.agents.endpoint.conftest import ROOT, Computer, guard_refusal, permit, runs, sha256
from tests.agents.endpoint.portal_double import wait_until

pytestmark = pytest.mark.kernel

ROUNDS = 50


def test_a_writer_through_a_mapping_never_runs_what_was_not_hashed(computer: Computer) -> None:
    """Stores through a mapping move no time stamp: with a cache by stamps alone, this ran every time."""
    good = Path("/bin/true").read_bytes() + b"G" * 4096
    sample = computer.directory / "sample"
    sample.write_bytes(good)
    computer.deploy(permit("good", FileRule("r1", hash=sha256(sample))))
    ran = busy = 0
    for number in range(ROUNDS):
        path = computer.directory / f"x{number}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o755)
        os.write(fd, good)
        view = mmap.mmap(fd, len(good))
        view[-1:] = b"G"
        os.close(fd)
        busy += _start(path) == errno.ETXTBSY
        view[-1:] = b"E"
        view.close()
        ran += _start(path) == 0
        path.unlink()
    assert busy == ROUNDS, "the file must be hashed while it is mapped, or nothing is attacked"
    assert ran == 0


def test_an_untouched_copy_of_the_same_file_runs(computer: Computer) -> None:
    """The attack's control: the same steps without the change."""
    good = Path("/bin/true").read_bytes() + b"G" * 4096
    path = computer.directory / "x"
    path.write_bytes(good)
    path.chmod(0o755)
    computer.deploy(permit("good", FileRule("r1", hash=sha256(path))))
    assert _start(path) == 0


def test_a_worker_killed_again_and_again_never_lets_a_forbidden_file_run(computer: Computer) -> None:
    allowed, forbidden = computer.script("allowed.sh", "#!/bin/sh\n"), computer.script("forbidden.sh", "#!/bin/sh\n#\n")
    computer.deploy(permit("allowed", FileRule("r1", hash=sha256(allowed))))
    ended = threading.Event()
    counts = {"allowed": 0, "forbidden": 0, "refused": 0}

    def load() -> None:
        while not ended.is_set():
            counts["forbidden"] += _start(forbidden) == 0
            ran = _start(allowed) == 0
            counts["allowed" if ran else "refused"] += 1

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    kills = 0
    until = time.monotonic() + 6
    while time.monotonic() < until:
        time.sleep(0.05)
        if pid := computer.child("pc-worker"):
            os.kill(pid, signal.SIGKILL)
            kills += 1
    ended.set()
    for thread in threads:
        thread.join(20)
    assert kills > 20
    assert counts["forbidden"] == 0
    assert counts["allowed"] > 100
    assert counts["refused"] < counts["allowed"] * 0.1
    wait_until(lambda: runs(allowed))


def test_what_a_killed_worker_had_not_written_is_counted_as_a_gap(doomed_computer: Computer) -> None:
    script = doomed_computer.script("patch.sh")
    for _ in range(5):
        for _ in range(10):
            runs(script)
        os.kill(doomed_computer.child("pc-worker"), signal.SIGKILL)
    wait_until(lambda: runs(script) or True)

    def told() -> int:
        events = doomed_computer.portal.events()
        gaps = sum(event.gap.dropped_denies for event in events if event.gap)
        return gaps + len([event for event in events if event.path == str(script)])

    # Fifty-one attempts. What was in the worker's hands at the moment of a kill may be counted once more or less.
    wait_until(lambda: told() >= 48)
    time.sleep(1)
    assert 48 <= told() <= 53


def test_a_stopped_worker_is_replaced_and_meanwhile_the_mode_decides(computer: Computer) -> None:
    script = computer.script("patch.sh")
    os.kill(computer.child("pc-worker"), signal.SIGSTOP)
    began = time.monotonic()
    assert not runs(script)
    assert time.monotonic() - began < 6
    computer.deploy(permit("patch", FileRule("r1", path=str(script))))
    assert runs(script)


def test_nothing_is_left_when_the_guardian_is_killed(doomed_computer: Computer) -> None:
    script = doomed_computer.script("patch.sh")
    assert not runs(script)
    children = [doomed_computer.child("pc-worker"), doomed_computer.child("pc-syncer")]
    assert all(children)
    doomed_computer.process.kill()
    doomed_computer.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    # Documented: with the last holder of the group gone the kernel asks nobody.
    assert runs(script)


@pytest.mark.skipif(bool(guard_refusal()), reason=guard_refusal())
def test_the_agent_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    directory, state = tmp_path / "second", tmp_path / "second-state"
    mount_demo(directory)
    try:
        command = [sys.executable, "-m", "agents.endpoint", "run", "--state", str(state), "--guard", str(directory)]
        code = f"import subprocess,time; p=subprocess.Popen({command!r}); print(p.pid, flush=True); time.sleep(60)"
        parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert parent.stdout is not None
        guardian = int(parent.stdout.readline())
        wait_until(lambda: (state / "status.json").exists())
        parent.kill()
        parent.wait()
        wait_until(lambda: not Path(f"/proc/{guardian}").exists())
    finally:
        unmount_demo(directory)


def test_a_file_system_mounted_over_the_guarded_one_is_guarded_too(doomed_computer: Computer) -> None:
    doomed_computer.script("patch.sh")
    subprocess.run(["mount", "-t", "tmpfs", "over", str(doomed_computer.directory)], check=True)
    try:
        script = doomed_computer.script("patch.sh")
        wait_until(lambda: not runs(script))
        doomed_computer.deploy(permit("patch", FileRule("r1", path=str(script))))
        assert runs(script)
    finally:
        subprocess.run(["umount", "-l", str(doomed_computer.directory)], check=True)


def test_nothing_leaks_over_thousands_of_runs(computer: Computer) -> None:
    script, forbidden = computer.script("allowed.sh", "#!/bin/sh\n"), computer.script("forbidden.sh")
    computer.deploy(permit("allowed", FileRule("r1", path=str(script))))
    worker = computer.child("pc-worker")

    def load(count: int) -> int:
        for number in range(count):
            _start(script if number % 3 else forbidden)
            (computer.directory / "data").write_text("x")
        return len(list(Path(f"/proc/{worker}/fd").iterdir()))

    before = load(100)
    assert load(1_000) <= before + 2
    assert computer.child("pc-worker") == worker


def test_the_agent_keeps_deciding_without_its_portal(doomed_computer: Computer) -> None:
    script = doomed_computer.script("patch.sh")
    other = doomed_computer.script("other.sh", "#!/bin/sh\necho other\n")
    doomed_computer.deploy(permit("patch", FileRule("r1", path=str(script))))
    doomed_computer.portal.close()
    os.kill(doomed_computer.child("pc-worker"), signal.SIGKILL)
    os.kill(doomed_computer.child("pc-syncer"), signal.SIGKILL)
    wait_until(lambda: doomed_computer.child("pc-worker") and doomed_computer.child("pc-syncer"))
    assert runs(script)
    assert not runs(other)


def _start(path: Path) -> int:
    """0 when the program ran, else the errno of its refusal."""
    try:
        pid = os.posix_spawn(path, [str(path)], {})
    except OSError as error:
        return error.errno or -1
    os.waitpid(pid, 0)
    return 0
