"""The demo's computers: real Linux agents where the kernel lets us guard, simulated ones for all others.

Each real one guards a small file system of its own below the data directory, never anything of the host.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portal.supervisor.children import Children
from portal.supervisor.demo_file import LiveComputer
from portal.supervisor.errors import StartRefused
from portal.supervisor.layout import CHECKOUT, Layout
from portal.supervisor.plan import manage, python
from portal.supervisor.programs import Program

FURNITURE = CHECKOUT / "deploy" / "computer"


@dataclass(frozen=True, slots=True)
class Agents:
    """Starts the agents of one run; `portal_url` is where they find the portal."""

    children: Children
    layout: Layout
    portal_url: str
    environment: Mapping[str, str]

    def start(self, computers: Sequence[LiveComputer]) -> list[LiveComputer]:
        """The real agents that guard now. Where none can, the terminal says why, and simulated ones stand in."""
        reason = why_no_guard() if computers else ""
        if reason:
            self.children.console.say(f"no real agents here ({reason}); simulated computers take their place")
        able = [] if reason else [computer for computer in computers if self.is_enrolled(computer)]
        agents = [self._agent(computer) for computer in able]
        self.children.start(*agents, simulation(self.environment, stand_ins=bool(reason)))
        return able

    def is_enrolled(self, computer: LiveComputer) -> bool:
        """Make its file system and its identity ready; False, and a line on the terminal, when that fails."""
        try:
            self._check_place(computer)
            furnish(computer.directory)
            if not point_at(self._state(computer), self.portal_url):
                self.children.complete(self._enrolment(computer))
        except StartRefused as refusal:
            self.children.console.say(f"{computer.name} is left out: {refusal}")
            return False
        return True

    def _state(self, computer: LiveComputer) -> Path:
        return self.layout.agents / computer.name

    def _check_place(self, computer: LiveComputer) -> None:
        if computer.directory.resolve().parent != self.layout.computers:
            raise StartRefused(f"{computer.directory} is not in {self.layout.computers}; nothing else is guarded")

    def _enrolment(self, computer: LiveComputer) -> Program:
        # All of them run on this one machine: each says what it is called and pretends hardware of its own.
        who = ("--name", computer.name, "--machine-id", f"{self.layout.key}-{computer.name}")
        command = python(
            "agents.endpoint", "enroll", "--state", str(self._state(computer)), "--portal", self.portal_url, *who
        )
        with_key = {**self.environment, "PORTCULLIS_INSTALL_KEY": computer.install_key}
        return Program(f"enroll-{computer.name}", command, with_key)

    def _agent(self, computer: LiveComputer) -> Program:
        state = self._state(computer)
        return Program(
            f"agent-{computer.name}",
            python("agents.endpoint", "run", "--state", str(state), "--guard", str(computer.directory)),
            self.environment,
            ready=enforces_since(state / "status.json", time.time()),
            ready_within_seconds=120.0,
            essential=False,
        )


def enforces_since(status: Path, began: float) -> Callable[[], bool]:
    """For `Program.ready`: has the agent said, after `began`, that it enforces a bundle?"""

    def ask() -> bool:
        try:
            if status.stat().st_mtime < began:
                return False
            heartbeat = json.loads(status.read_text())["heartbeat"]
        except FileNotFoundError:
            return False
        return bool(heartbeat["enforcing"] and heartbeat["bundle_version"])

    return ask


def simulation(environment: Mapping[str, str], *, stand_ins: bool) -> Program:
    """All pretend computers in one process; with `stand_ins` those too that real agents would have been."""
    arguments = ("--stand-ins",) if stand_ins else ()
    return Program("simulate", manage("simulate", *arguments), environment, essential=False)


def point_at(state: Path, portal_url: str) -> bool:
    """Tell an enrolled agent where the portal is in this run (PORT may have changed); False before enrolment."""
    identity = state / "identity.json"
    if not identity.exists():
        return False
    known = json.loads(identity.read_text())
    if known["portal_url"] != portal_url:
        draft = identity.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({**known, "portal_url": portal_url}))
        draft.replace(identity)
    return True


def why_no_guard() -> str:
    """Empty when a real agent can guard here, else the reason for people."""
    if not sys.platform.startswith("linux"):
        return "only Linux has fanotify"
    if os.geteuid() != 0:
        return "they need root"
    from agents.endpoint.capability import can_guard  # the agent's modules load on Linux only

    able, reason = can_guard()
    return "" if able else reason


def furnish(directory: Path) -> None:
    """A fresh small file system at `directory` with the scripts a person tries out. Raises StartRefused."""
    from agents.endpoint.mounts import MountError, mount_demo, unmount_demo

    try:
        unmount_demo(directory)  # what a killed run left
        mount_demo(directory)
    except MountError as refusal:
        raise StartRefused(str(refusal)) from None
    shutil.copytree(FURNITURE, directory, dirs_exist_ok=True)
