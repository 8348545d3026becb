"""kill -9 of the supervisor leaves nothing behind, and the next start recovers by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portal.supervisor.layout import CHECKOUT, Layout
from portal.supervisor.processes import command_line
from portal.supervisor.programs import wait_until


def keep_servers(layout: Layout, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    layout.environment_script.unlink(missing_ok=True)
    command = (
        sys.executable,
        "-m",
        "portal.supervisor",
        "services",
        "--keep",
        "--data-dir",
        str(layout.data),
    )
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
    assert wait_until(lambda: layout.environment_script.exists() or process.poll() is not None, 30)
    assert process.poll() is None
    return process


def descendants(process: int) -> set[int]:
    """Children, their children and so on, as the kernel lists them."""
    found: set[int] = set()
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child} | descendants(child)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel's process table")
def test_kill_9_leaves_nothing_behind_and_the_next_start_recovers(layout: Layout, environment: dict[str, str]) -> None:
    killed = keep_servers(layout, environment)
    family = descendants(killed.pid)
    assert len(family) > 3
    killed.kill()
    killed.wait()
    assert wait_until(lambda: not any(command_line(one) for one in family), 20)

    second = keep_servers(layout, environment)
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel's process table")
def test_kill_9_of_everything_at_once_is_recovered_from(layout: Layout, environment: dict[str, str]) -> None:
    first = keep_servers(layout, environment)
    for process in {first.pid} | descendants(first.pid):
        with contextlib.suppress(ProcessLookupError):  # it went with its parent
            os.kill(process, signal.SIGKILL)
    first.wait()
    second = keep_servers(layout, environment)
    second.send_signal(signal.SIGINT)
    assert second.wait(30) == 0


def test_a_second_start_on_the_same_data_is_refused(layout: Layout, environment: dict[str, str]) -> None:
    first = keep_servers(layout, environment)
    command = (
        sys.executable,
        "-m",
        "portal.supervisor",
        "services",
        "--data-dir",
        str(layout.data),
        "--",
        "true",
    )
    second = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    first.terminate()
    first.wait(30)
    assert second.returncode == 1
    assert f"already runs on {layout.data} (process {first.pid})" in second.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel's process table")
def test_a_start_right_after_a_kill_9_finds_the_place_cleared(layout: Layout, environment: dict[str, str]) -> None:
    first = keep_servers(layout, environment)
    family = descendants(first.pid)
    first.kill()
    second = keep_servers(layout, environment)  # at once: the kernel and the guard are still at work
    assert not any(command_line(one) for one in family)
    second.terminate()
    assert second.wait(30) == 0
    first.wait()


def test_a_command_gets_the_addresses_and_its_exit_code_is_ours(layout: Layout, environment: dict[str, str]) -> None:
    inner = 'test -n "$DATABASE_URL" -a -n "$DATABASE_OWNER_URL" -a -n "$REDIS_URL" && exit 7'
    command = (sys.executable, "-m", "portal.supervisor", "services", "--data-dir", str(layout.data))
    done = subprocess.run((*command, "--", "sh", "-c", inner), cwd=CHECKOUT, env=environment)
    assert done.returncode == 7
