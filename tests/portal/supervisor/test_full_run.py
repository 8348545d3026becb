"""The whole portal as `make run` starts it: each part may be killed, it comes back; nothing is left behind."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.supervisor.layout import CHECKOUT, Layout
from portal.supervisor.plan import http_answers
from portal.supervisor.processes import command_line
from portal.supervisor.programs import wait_until
from tests.portal.supervisor.test_killed_supervisor import descendants

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the kernel's process table"),
]
PARTS = {
    "web": "granian",
    "gateway": "uvicorn",
    "worker": "celery -A portal.celery worker",
    "beat": "celery -A portal.celery beat",
    "postgres": "bin/postgres -D",
    "valkey": "valkey-server",
}


@dataclass
class RunningPortal:
    process: subprocess.Popen[str]
    port: int
    output: Path

    def answers(self) -> bool:
        return http_answers("127.0.0.1", self.port, "/readyz")()

    def gateway_answers(self) -> bool:
        return http_answers("127.0.0.1", self.port + 1, "/healthz")()

    def has_said(self, text: str) -> bool:
        return text in self.output.read_text()

    def masters(self, part: str) -> list[int]:
        """The part's process that the supervisor itself started; none while it is away."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [pid for pid in map(int, task.read_text().split()) if PARTS[part] in command_line(pid)]


def free_port() -> int:
    """A port that is free, and whose neighbor is free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def start(layout: Layout, environment: dict[str, str]) -> RunningPortal:
    output = layout.data / "terminal.txt"
    port = free_port()
    variables = {**environment, "DATA_DIR": str(layout.data), "PORT": str(port), "DEMO": "0"}
    with output.open("w") as terminal:
        command = (sys.executable, "-m", "portal.supervisor", "run")
        process = subprocess.Popen(command, cwd=CHECKOUT, env=variables, stderr=terminal, text=True)
    portal = RunningPortal(process, port, output)
    assert wait_until(lambda: portal.has_said("is ready") or process.poll() is not None, 120)
    assert process.poll() is None, output.read_text()
    return portal


@pytest.fixture
def portal(layout: Layout, environment: dict[str, str]) -> Iterator[RunningPortal]:
    found = start(layout, environment)
    yield found
    found.process.terminate()
    found.process.wait(60)


def test_every_part_that_is_killed_comes_back(portal: RunningPortal) -> None:
    for part in PARTS:
        [master] = portal.masters(part)
        os.kill(master, signal.SIGKILL)
        assert wait_until(lambda: portal.masters(part) not in ([], [master]), 30), part  # noqa: B023
        assert wait_until(portal.answers, 30), part
        assert wait_until(portal.gateway_answers, 30), part
    assert portal.process.poll() is None


def test_the_portal_answers_while_valkey_is_away(portal: RunningPortal) -> None:
    [master] = portal.masters("valkey")
    os.kill(master, signal.SIGSTOP)
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=10)
    connection.request("GET", "/readyz", headers={"Host": "localhost"})
    answer = connection.getresponse()
    os.kill(master, signal.SIGCONT)
    assert answer.status == 200
    assert b'"valkey": "unavailable"' in answer.read()


def test_kill_9_leaves_nothing_and_a_second_start_is_quick_and_ctrl_c_ends_it(
    layout: Layout, environment: dict[str, str]
) -> None:
    first = start(layout, environment)
    family = descendants(first.process.pid)
    assert len(family) > 10
    first.process.kill()
    first.process.wait()
    assert wait_until(lambda: not any(command_line(one) for one in family), 30)

    second = start(layout, environment)
    family = descendants(second.process.pid)
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(60) == 0
    assert not any(command_line(one) for one in family)
    assert second.has_said("stopped")


def test_a_port_in_use_is_told_plainly(layout: Layout, environment: dict[str, str]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        variables = {**environment, "DATA_DIR": str(layout.data), "PORT": str(holder.getsockname()[1])}
        command = (sys.executable, "-m", "portal.supervisor", "run")
        done = subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert "Traceback" not in done.stderr
