"""A live agent on a small guarded file system, and the portal double it talks to."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.endpoint.capability import can_guard
from agents.endpoint.enrolment import enroll
from agents.endpoint.mounts import mount_demo, unmount_demo
from agents.endpoint.store import Store
from policies.engine.model import Application, Policy
from policies.engine.rules import FileRule
from tests.agents.endpoint.portal_double import GROUP, INSTALL_KEY, PortalDouble, wait_until

ROOT = Path(__file__).parents[3]
DEFAULT_DENY = Policy("default", "Default - (Servers)", "group", GROUP, "deny", order=1_000_000, is_default=True)


@functools.cache
def guard_refusal() -> str:
    """Empty when this machine lets us guard; else the reason."""
    able, reason = can_guard()
    return "" if able else reason


def permit(name: str, *rules: FileRule, order: int = 100_001) -> tuple[Policy, Application]:
    """A permit policy with its application."""
    policy = Policy(f"p-{name}", f"permit {name}", "group", GROUP, "permit", order=order, applications=(f"a-{name}",))
    return policy, Application(f"a-{name}", name, False, rules)


def deny(name: str, *rules: FileRule, order: int = 100_001) -> tuple[Policy, Application]:
    """An explicit deny with its application."""
    policy = Policy(f"p-{name}", f"deny {name}", "group", GROUP, "deny", order=order, applications=(f"a-{name}",))
    return policy, Application(f"a-{name}", name, False, rules)


def deploy(portal: PortalDouble, *pairs: tuple[Policy, Application], **changes: object) -> int:
    """Deploy these policies above Default Deny; returns the version."""
    manifest = portal.deploy([*(pair[0] for pair in pairs), DEFAULT_DENY], [pair[1] for pair in pairs], **changes)  # type: ignore[arg-type]
    return manifest.version


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def portal() -> Iterator[PortalDouble]:
    double = PortalDouble()
    yield double
    double.close()


@pytest.fixture
def store(tmp_path: Path, portal: PortalDouble) -> Store:
    """The state directory of an enrolled computer."""
    made = Store.open(tmp_path / "state")
    enroll(made, portal_url=portal.url, install_key=INSTALL_KEY)
    return made


@dataclass
class Computer:
    """A guarded directory and the agent that guards it."""

    directory: Path
    store: Store
    portal: PortalDouble
    process: subprocess.Popen[bytes]

    def script(self, name: str, text: str = "#!/bin/sh\necho ran\n") -> Path:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def deploy(self, *pairs: tuple[Policy, Application], **changes: object) -> None:
        """Deploy and wait until the agent says that it is live."""
        version = deploy(self.portal, *pairs, **changes)
        wait_until(lambda: self.portal.live_version() == version)

    def child(self, name: str) -> int:
        """The pid of the agent's process of that name; 0 while there is none."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in tasks:
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    return int(pid)
            except OSError:
                continue
        return 0


def runs(*command: str | Path) -> bool:
    """Whether the command could be started and ended well."""
    try:
        return subprocess.run([str(word) for word in command], capture_output=True, timeout=20).returncode == 0
    except PermissionError:
        return False


@contextlib.contextmanager
def guarded_computer(place: Path) -> Iterator[Computer]:
    """A live agent, guarding. Skips where the kernel refuses."""
    if guard_refusal():
        pytest.skip(f"no fanotify permission events here: {guard_refusal()}")
    portal, store, directory = PortalDouble(), Store.open(place / "state"), place / "guarded"
    enroll(store, portal_url=portal.url, install_key=INSTALL_KEY)
    mount_demo(directory)
    command = [sys.executable, "-m", "agents.endpoint", "run", "--state", str(store.root), "--guard", str(directory)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until(lambda: portal.ledger.checkins, 30)
        yield Computer(directory, store, portal, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        unmount_demo(directory)
        portal.close()


@pytest.fixture(scope="module")
def living_computer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computer]:
    with guarded_computer(tmp_path_factory.mktemp("computer")) as computer:
        yield computer


@pytest.fixture
def computer(living_computer: Computer) -> Computer:
    """A live agent with Default Deny in force, nothing permitted, and an empty directory."""
    shutil.rmtree(living_computer.directory, ignore_errors=True)
    living_computer.deploy()
    living_computer.portal.ledger.events.clear()
    return living_computer


@pytest.fixture
def doomed_computer(tmp_path: Path) -> Iterator[Computer]:
    """The same, for a test that destroys it."""
    with guarded_computer(tmp_path) as computer:
        computer.deploy()
        yield computer
