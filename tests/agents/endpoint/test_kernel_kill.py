"""A deny with *kill running*, with the real agent on the real kernel: what runs already is ended, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents.protocol.manifest import ModeWindow
from policies.engine.model import Application, Policy
from policies.engine.rules import FileRule
from tests.agents.endpoint.conftest import Computer, deny, permit, runs, sha256
from tests.agents.endpoint.portal_double import wait_until

pytestmark = pytest.mark.kernel

ENDLESS = "#!/bin/sh\nwhile :; do sleep 0.05; done\n"
DEAF = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.05; done\n"
ALL = permit("all", FileRule("r-all", path="*"), order=200_001)


def killing(name: str, *rules: FileRule, **fields: object) -> tuple[Policy, Application]:
    policy, application = deny(name, *rules)
    return replace(policy, kill_running=True, **fields), application  # type: ignore[arg-type]


def start(*command: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ended(running: subprocess.Popen[bytes], seconds: float = 10) -> int:
    """The signal that ended it."""
    return -running.wait(seconds)


def ends(computer: Computer, path: Path) -> list[str]:
    """Policies of the *kill* events of a file, as the portal received them."""
    found = [e for e in computer.portal.events(path=str(path)) if e.action_type == "kill"]
    return [event.decision.policy for event in found if event.decision]


def test_a_running_script_is_ended_when_the_deny_takes_effect_and_that_is_an_event(computer: Computer) -> None:
    doomed, other = computer.script("miner.sh", ENDLESS), computer.script("tool.sh", ENDLESS + "# other\n")
    computer.deploy(ALL)
    first, second = start(doomed), start(other)
    try:
        wait_until(lambda: computer.portal.events(path=str(doomed)) and computer.portal.events(path=str(other)))
        computer.deploy(ALL, killing("miners", FileRule("r1", path=str(doomed))))
        assert ended(first) == signal.SIGTERM
        wait_until(lambda: ends(computer, doomed))
        assert ends(computer, doomed) == ["p-miners"]
        event = next(e for e in computer.portal.events(path=str(doomed)) if e.action_type == "kill")
        assert event.decision is not None
        assert (event.decision.effect, event.sha256) == ("denied", sha256(doomed))
        assert second.poll() is None, "what the policy does not deny runs on"
        assert not runs(doomed), "and it is denied when somebody starts it again"
    finally:
        for one in (first, second):
            one.kill()
            one.wait()


def test_a_running_program_is_ended_by_its_hash_wherever_it_lies(computer: Computer) -> None:
    copy = computer.directory / "renamed"
    copy.write_bytes(Path("/bin/sleep").read_bytes() + b"\n")
    copy.chmod(0o755)
    computer.deploy(ALL)
    running = start(copy, "600")
    try:
        wait_until(lambda: computer.portal.events(path=str(copy)))
        computer.deploy(ALL, killing("sleepers", FileRule("r1", hash=sha256(copy))))
        assert ended(running) == signal.SIGTERM
    finally:
        running.kill()
        running.wait()


def test_what_does_not_want_to_end_is_ended_after_a_grace(computer: Computer) -> None:
    deaf = computer.script("deaf.sh", DEAF)
    computer.deploy(ALL)
    running = start(deaf)
    try:
        wait_until(lambda: computer.portal.events(path=str(deaf)))
        computer.deploy(ALL, killing("deaf", FileRule("r1", path=str(deaf))))
        assert ended(running, 20) == signal.SIGKILL
        assert ends(computer, deaf) == ["p-deaf"], "one event for one program"
    finally:
        running.kill()
        running.wait()


def test_a_script_given_to_an_interpreter_is_known_by_what_was_judged(computer: Computer) -> None:
    """Its name is relative, and the interpreter went elsewhere: what was judged when it was read still counts."""
    script = computer.directory / "job.py"
    script.write_text("import os, time\nos.chdir('/')\nwhile True:\n    time.sleep(0.05)\n")
    computer.deploy(ALL)
    running = subprocess.Popen([sys.executable, "job.py"], cwd=computer.directory)
    try:
        wait_until(lambda: computer.portal.events(path=str(script)))
        computer.deploy(
            ALL, killing("jobs", FileRule("r1", path=str(script), process=os.path.realpath(sys.executable)))
        )
        assert ended(running) == signal.SIGTERM
    finally:
        running.kill()
        running.wait()


@pytest.mark.parametrize("why", ["monitor_mode", "monitor_policy", "earlier_permit", "closed", "plain_deny"])
def test_what_is_not_denied_for_real_by_that_policy_runs_on(computer: Computer, why: str) -> None:
    script = computer.script(f"kept-{why}.sh", ENDLESS)
    rule = FileRule("r1", path=str(script))
    computer.deploy(ALL)
    running = start(script)
    try:
        wait_until(lambda: computer.portal.events(path=str(script)))
        policy, application = killing("kept", rule)
        mode = ModeWindow()
        more = []
        if why == "monitor_mode":
            mode = ModeWindow(mode="monitor_only")
        elif why == "monitor_policy":
            policy = replace(policy, status="monitor_only")
        elif why == "earlier_permit":
            policy = replace(policy, order=150_001)
            more = [permit("kept-permit", rule)]
        elif why == "closed":
            policy = replace(policy, expires_at=1)
        else:
            policy = replace(policy, kill_running=False)
        watched = computer.script("watched.sh", ENDLESS)
        marker = start(watched)
        canary = killing("canary", FileRule("r2", path=str(watched)), status="secured", order=100_003)
        wait_until(lambda: computer.portal.events(path=str(watched)))
        computer.deploy(ALL, (policy, application), *more, canary, mode=mode)
        assert ended(marker) == signal.SIGTERM, "the sweep has been"
        assert running.poll() is None
        assert ends(computer, script) == []
    finally:
        running.kill()
        running.wait()


def test_who_launched_it_counts_only_when_it_was_seen(computer: Computer) -> None:
    """A deny that hangs on the launcher ends what that launcher started, and not the same file started by another."""
    script = computer.script("either.sh", ENDLESS)
    computer.deploy(ALL)
    by_python = start(script)
    by_shell = subprocess.Popen(["/bin/sh", "-c", f"'{script}'; true"])
    try:
        wait_until(lambda: len(computer.portal.events(path=str(script))) >= 2)
        launcher = os.path.realpath(sys.executable)
        computer.deploy(ALL, killing("launched", FileRule("r1", path=str(script), process=launcher)))
        assert ended(by_python) == signal.SIGTERM
        assert by_shell.poll() is None
        wait_until(lambda: ends(computer, script))
        assert ends(computer, script) == ["p-launched"]
    finally:
        computer.deploy(killing("clean", FileRule("r1", path=str(script))))
        by_shell.wait(10)


def test_a_permit_that_ends_is_over_without_the_portal_and_stays_over(doomed_computer: Computer) -> None:
    computer = doomed_computer
    script = computer.script("armed.sh")
    policy, application = permit("armed", FileRule("r1", path=str(script)))
    ends_at = int(time.time() * 1000) + 4_000
    computer.deploy((replace(policy, expires_at=ends_at), application))
    assert runs(script)
    computer.portal.close()
    wait_until(lambda: not runs(script), 8)
    assert time.time() * 1000 >= ends_at - 50, "not before its end"
    os.kill(computer.child("pc-worker"), signal.SIGKILL)
    wait_until(lambda: computer.child("pc-worker") and not runs(script), 8)
    assert not runs(script)
