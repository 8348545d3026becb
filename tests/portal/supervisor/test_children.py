"""Children are restarted, given up on with their last words, and stopped in reverse order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.supervisor.children import QUICK_ENDS_ALLOWED, Children
from portal.supervisor.console import Console
from portal.supervisor.errors import ChildGaveUp, StartRefused, Stopped
from portal.supervisor.layout import Layout
from portal.supervisor.processes import command_line
from portal.supervisor.programs import wait_until
from tests.portal.supervisor.conftest import ProgramMaker

SLEEP = "import time; time.sleep(60)"


def look_after_until(children: Children, question: Callable[[], bool], seconds: float = 10.0) -> bool:
    def round_of_watching() -> bool:
        children.look_after()
        return question()

    return wait_until(round_of_watching, seconds)


def test_a_program_is_started_only_when_the_one_before_it_is_ready(
    children: Children, program: ProgramMaker, tmp_path: Path
) -> None:
    mark = tmp_path / "ready"
    slow = f"import pathlib, time; time.sleep(0.3); pathlib.Path({str(mark)!r}).touch(); time.sleep(60)"
    children.start(program("first", slow, ready=mark.exists))
    assert mark.exists()


def test_a_child_that_is_killed_is_started_again(children: Children, program: ProgramMaker) -> None:
    children.start(program("web", SLEEP))
    first = children.running[0].process.pid
    os.kill(first, signal.SIGKILL)
    assert look_after_until(children, lambda: children.running[0].process.pid != first)
    assert children.running[0].process.poll() is None


def test_the_pause_before_a_restart_grows(children: Children, program: ProgramMaker) -> None:
    children.start(program("web", SLEEP))
    child = children.running[0]
    pauses = []
    for _ in range(3):
        os.kill(child.process.pid, signal.SIGKILL)
        assert look_after_until(children, lambda: child.again_at is not None)
        pauses.append((child.again_at or 0) - time.monotonic())
        assert look_after_until(children, lambda: child.again_at is None)
    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0] * 2


def test_an_essential_child_that_keeps_failing_ends_everything_with_its_last_lines(
    children: Children, program: ProgramMaker, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    source = f"open({str(tries)!r}, 'a').write('x'); raise SystemExit('the table is gone')"
    children.start(program("worker", source, ready=lambda: True))
    with pytest.raises(ChildGaveUp, match=r"(?s)worker ended 5 times in a row.*the table is gone"):
        look_after_until(children, lambda: False)
    assert len(tries.read_text()) == QUICK_ENDS_ALLOWED


def test_a_child_that_is_not_essential_is_let_go(
    children: Children, program: ProgramMaker, capsys: pytest.CaptureFixture[str]
) -> None:
    children.start(program("web", SLEEP))
    children.start(program("demo-agent", "raise SystemExit(3)", essential=False))
    assert look_after_until(children, lambda: len(children.running) == 1)
    assert children.running[0].program.name == "web"
    assert "goes on without it" in capsys.readouterr().err


def test_a_program_that_never_becomes_ready_ends_everything(children: Children, program: ProgramMaker) -> None:
    with pytest.raises(ChildGaveUp, match="not ready in 0 s"):
        children.start(program("web", SLEEP, ready=lambda: False, ready_within_seconds=0.3))


def test_ctrl_c_during_the_start_stops_waiting(children: Children, program: ProgramMaker) -> None:
    children.stopping.set()
    with pytest.raises(Stopped):
        children.start(program("web", SLEEP, ready=lambda: False))


def test_children_stop_in_reverse_order(
    layout: Layout, console: Console, program: ProgramMaker, tmp_path: Path
) -> None:
    ends = tmp_path / "ends"
    source = (
        "import signal, sys, time\n"
        "def stop(*_):\n    open({ends!r}, 'a').write({name!r} + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\nopen({up!r}, 'w').close()\ntime.sleep(60)"
    )
    with Children(layout.logs, console) as children:
        for name in ("database", "web", "agent"):
            up = tmp_path / name
            children.start(program(name, source.format(ends=str(ends), name=name, up=str(up)), ready=up.exists))
    assert ends.read_text().split() == ["agent", "web", "database"]


def test_what_a_child_has_started_ends_with_it(
    layout: Layout, console: Console, program: ProgramMaker, tmp_path: Path
) -> None:
    note = tmp_path / "grandchild"
    source = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    with Children(layout.logs, console) as children:
        children.start(program("web", source, ready=note.exists))
        wait_until(lambda: bool(note.read_text()), 5)
        grandchild = int(note.read_text())
        os.kill(children.running[0].process.pid, signal.SIGKILL)
        assert look_after_until(children, lambda: not command_line(grandchild))


def test_a_guard_that_was_killed_is_replaced(children: Children, program: ProgramMaker) -> None:
    children.start(program("web", SLEEP))
    assert children.guard is not None
    first = children.guard
    first.kill()
    first.wait()
    children.look_after()
    assert children.guard is not first
    assert children.guard.poll() is None


def test_a_step_that_fails_is_told_with_its_last_lines(children: Children, program: ProgramMaker) -> None:
    with pytest.raises(StartRefused, match=r"(?s)migrate failed \(1\).*no such column"):
        children.complete(program("migrate", "raise SystemExit('no such column')"))
