"""Modes, large files and people, with the real agent on the real kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agents.endpoint import agent, control
from agents.endpoint.agent import CannotGuard, Options
from agents.endpoint.control import Wish
from agents.endpoint.mounts import MountError, mount_demo, mounts, unmount_demo
from agents.endpoint.store import Store, StoreError
from agents.protocol.manifest import ModeWindow
from policies.engine.rules import FileRule
from tests.agents.endpoint.conftest import ROOT, Computer, guard_refusal, permit, runs, sha256
from tests.agents.endpoint.portal_double import wait_until

pytestmark = pytest.mark.kernel


def window(mode: str, seconds: int = 600) -> ModeWindow:
    now = int(time.time())
    return ModeWindow(mode=mode, started_at=now, ends_at=now + seconds, window=f"{mode} {now}")  # type: ignore[arg-type]


def test_learning_lets_everything_run_and_reports_what_it_learned(computer: Computer) -> None:
    script = computer.script("new.sh")
    computer.deploy(mode=window("learning"))
    assert runs(script)
    wait_until(lambda: computer.portal.events(path=str(script)))
    event = computer.portal.events(path=str(script))[0]
    assert event.mode == "learning"
    assert event.decision is not None
    assert (event.decision.effect, event.decision.simulated, event.decision.learned) == ("permitted", True, True)


def test_a_relaxed_mode_ends_by_itself_without_the_portal(computer: Computer) -> None:
    script = computer.script("new.sh")
    computer.deploy(mode=window("monitor_only", seconds=3))
    assert runs(script)
    wait_until(lambda: not runs(script), 8)


def test_installation_reports_every_program_that_is_written(computer: Computer) -> None:
    computer.deploy(mode=window("installation"))
    installed, module, data = (computer.directory / name for name in ("tool", "part.py", "readme"))
    data.write_text("read me\n")
    module.write_text("x = 1\n")
    subprocess.run(["cp", "/bin/true", str(installed)], check=True)
    wait_until(lambda: computer.portal.events(path=str(installed)) and computer.portal.events(path=str(module)))
    event = computer.portal.events(path=str(installed))[0]
    assert (event.action_type, event.sha256, event.user) == ("install", sha256(installed), "root")
    assert event.process == event.created_by == os.path.realpath("/bin/cp")
    assert event.decision is not None
    assert event.decision.learned
    assert not computer.portal.events(path=str(data))


def test_a_large_program_is_hashed_beside_the_hot_path(computer: Computer) -> None:
    large, small = computer.directory / "large", computer.script("small.sh")
    large.write_bytes(Path("/bin/true").read_bytes() + bytes(48 << 20))
    large.chmod(0o755)
    computer.deploy(permit("both", FileRule("r1", hash=sha256(large)), FileRule("r2", path=str(small))))
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(runs(large))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert runs(small)
    for thread in threads:
        thread.join(20)
    assert answers == [True] * 4
    with large.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    assert not runs(large)


def test_anybody_may_ask_for_a_file_and_only_root_for_reasons(computer: Computer) -> None:
    script = computer.script("wanted.sh")
    wish = control.ask(computer.store, Wish("request", path=str(script), reason="month end", process="/bin/bash"))
    assert (wish.id, wish.status) == ("r1", "pending")
    asked = computer.portal.ledger.requests[-1]
    assert (asked.path, asked.sha256, asked.user, asked.reason) == (str(script), sha256(script), "root", "month end")
    assert asked.created_by == os.path.realpath(sys.executable)
    computer.portal.request_status = "approved"
    assert control.ask(computer.store, Wish("answer", id="r1")).status == "approved"
    explained = control.ask(computer.store, Wish("check", path=str(script)))
    assert any("Default - (Servers)" in line for line in explained.lines)
    refused = _ask_as(65534, computer.store, {"do": "check", "path": str(script)})
    assert refused["problem"] == "only root may do that"
    assert _ask_as(65534, computer.store, {"do": "request", "path": "/etc/hostname"})["id"] == "r1"
    assert computer.portal.ledger.requests[-1].user == "nobody"


@pytest.mark.parametrize(
    "message", [b"", b"{", b'{"do":"shutdown"}', b"\xff" * 100, b'{"do":"request","path":"/none"}']
)
def test_nonsense_at_the_door_gets_an_answer_and_leaves_it_open(computer: Computer, message: bytes) -> None:
    code = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(bytes.fromhex(sys.argv[2])); s.shutdown(1); print(s.recv(65536).decode())"
    )
    command = [sys.executable, "-c", code, str(computer.store.socket), message.hex()]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert answer["problem"]
    assert control.ask(computer.store, Wish("answer", id="r1")).id == "r1"


def test_status_for_people(computer: Computer) -> None:
    command = [sys.executable, "-m", "agents.endpoint", "status", "--state", str(computer.store.root)]

    def shown() -> str:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout

    wait_until(lambda: f"version 1.{computer.portal.version}" in shown())
    assert f"guarding       {computer.directory}" in shown()
    assert "mode           secured\n" in shown()


def test_a_state_directory_on_a_guarded_file_system_is_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "state")
    with pytest.raises(CannotGuard, match="another file system"):
        agent.check_places(Options(store, (str(tmp_path),)))
    with pytest.raises(CannotGuard, match="nothing to guard"):
        agent.check_places(Options(store, ()))
    with pytest.raises(CannotGuard, match="no directory"):
        agent.check_places(Options(store, (str(tmp_path / "missing"),)))


def test_one_agent_per_state_directory(computer: Computer) -> None:
    with pytest.raises(StoreError, match="already running"):
        computer.store.lock()


@pytest.mark.skipif(bool(guard_refusal()), reason=guard_refusal())
def test_a_demo_mount_is_made_once_kept_and_taken_away(tmp_path: Path) -> None:
    place = tmp_path / "a computer"
    assert mount_demo(place)
    script = place / "x"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert runs(script)
    assert not mount_demo(place)
    assert script.exists()
    # A person's shell may sit in it; it goes all the same.
    holder = subprocess.Popen(["sleep", "60"], cwd=place)
    unmount_demo(place)
    unmount_demo(place)
    holder.kill()
    holder.wait()
    assert not any(mount.path == str(place) for mount in mounts())
    assert not script.exists()


@pytest.mark.skipif(bool(guard_refusal()), reason=guard_refusal())
def test_what_a_killed_run_left_is_cleared_and_foreign_mounts_are_not_touched(tmp_path: Path) -> None:
    place = tmp_path / "computer"
    mount_demo(place)
    subprocess.run(["mount", "-o", "remount,noexec", str(place)], check=True)
    assert mount_demo(place)
    assert len([mount for mount in mounts() if mount.path == str(place)]) == 1
    unmount_demo(place)
    subprocess.run(["mount", "-t", "tmpfs", "somebody", str(place)], check=True)
    try:
        with pytest.raises(MountError, match="another mount"):
            mount_demo(place)
        unmount_demo(place)
        assert any(mount.path == str(place) for mount in mounts())
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _ask_as(uid: int, store: Store, message: dict[str, str]) -> dict[str, str]:
    """What the agent answers to a user. The way to the socket is opened first: pytest's directories are private."""
    for parent in store.socket.parents:
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)
    code = (
        "import os, socket, sys; os.setuid(int(sys.argv[1])); s = socket.socket(socket.AF_UNIX);"
        "s.connect(sys.argv[2]); s.sendall(sys.argv[3].encode()); s.shutdown(1); print(s.recv(65536).decode())"
    )
    command = [sys.executable, "-c", code, str(uid), str(store.socket), json.dumps(message)]
    return dict(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
