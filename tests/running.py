"""The whole product as `make run` starts it, once for all journeys, browser tests and faults of a test process.

Everything is asked from outside: over HTTP, through the guarded directories, or (for invariants) of the database
itself. Their folders are in `FOLDERS`: when tests run in parallel, one process gets them all, and with it one portal.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
import pytest

from portal.supervisor.computers import why_no_guard
from portal.supervisor.layout import CHECKOUT, Layout
from portal.supervisor.mounts import mounts_below
from portal.supervisor.postgres import embedded_cluster
from portal.supervisor.processes import command_line
from portal.supervisor.programs import wait_until
from portal.supervisor.reset import reset

T = TypeVar("T")
FOLDERS = ("tests/journeys/", "tests/browser/", "tests/faults/")
START_WITHIN_SECONDS = 300
PARTS = {
    "web": "granian",
    "gateway": "uvicorn",
    "worker": "celery -A portal.celery worker",
    "beat": "celery -A portal.celery beat",
    "postgres": "bin/postgres -D",
    "valkey": "valkey-server",
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


@dataclass
class ApiClient:
    """A script with a token. Every answer but those of `ask` must be a success."""

    url: str
    token: str

    def get(self, path: str) -> Answer:
        return self._good("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        return self._good("POST", path, body or {})

    def put(self, path: str, body: Any) -> Answer:
        return self._good("PUT", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self._good("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self._good("DELETE", path)

    def everything(self, path: str) -> list[Any]:
        """The rows of all pages of a list."""
        rows: list[Any] = []
        following: str | None = path
        while following:
            page = self.get(following)
            rows += page["results"]
            following = page["next"]
        return rows

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        parts = urlsplit(self.url)
        target = path if path.startswith("/") else f"/api/v1/{path}"
        target = target if not path.startswith("http") else path.split(parts.netloc, 1)[1]
        link = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=30)
        try:
            sent = json.dumps(body) if body is not None else None
            head = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            link.request(method, target, sent, head)
            answer = link.getresponse()
            raw = answer.read()
        finally:
            link.close()
        return Answer(answer.status, json.loads(raw) if raw else None, {k.lower(): v for k, v in answer.getheaders()})

    def _good(self, method: str, path: str, body: Any = None) -> Answer:
        answer = self.ask(method, path, body)
        assert answer.status < 300, f"{method} {path}: {answer.status} {answer.body}"
        return answer


@dataclass
class RunningPortal:
    """`supervisor` is the process number of it; `demo` is what demo.json tells."""

    supervisor: int
    layout: Layout
    demo: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.demo["url"])

    def person(self, role: str, organization: str = "") -> dict[str, str]:
        """The first of the demo's people with that role (there)."""
        return next(p for p in self.demo["people"] if p["role"] == role and organization in ("", p["organization"]))

    def api(self, role: str = "owner", organization: str = "") -> ApiClient:
        return ApiClient(self.url, self.person(role, organization)["api_token"])

    def computer(self, name: str) -> Path:
        """What a live Linux computer guards. Skips the test, with the reason, where none can."""
        if reason := why_no_guard():
            pytest.skip(f"no real agent here: {reason}")
        return self.layout.computers / name

    def agent_status(self, name: str) -> dict[str, Any]:
        """What the agent on a live computer says of itself."""
        state = str(self.layout.agents / name)
        command = (sys.executable, "-m", "agents.endpoint", "status", "--json", "--state", state)
        told = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        found: dict[str, Any] = json.loads(told.stdout)
        return found

    def master(self, part: str) -> int:
        """The part's process that the supervisor itself started; 0 while it is away."""
        task = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children")
        return next((pid for pid in map(int, task.read_text().split()) if PARTS[part] in command_line(pid)), 0)

    def kill(self, part: str) -> None:
        """kill -9 of a part's parent and of all its children, at once."""
        parent = self.master(part)
        for pid in (parent, *descendants(parent)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Ask the database itself, as its superuser: past row-level security, for invariants only."""
        address = embedded_cluster(self.layout, os.environ).address()
        with psycopg.connect(address, dbname="portcullis", autocommit=True) as link:
            return link.execute(sql, parameters).fetchall()  # type: ignore[arg-type]


def descendants(process: int) -> set[int]:
    """Children, their children and so on, as the kernel lists them; empty when it is gone."""
    found: set[int] = set()
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found |= {child} | descendants(child)
    except (FileNotFoundError, ProcessLookupError):
        return found
    return found


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


def until(question: Callable[[], T], seconds: float, what: str, pause_seconds: float = 0.1) -> T:
    """The first true answer. Fails, naming what was waited for, when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := question()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(pause_seconds)
    return found


def runs(script: Path) -> bool:
    """Whether the kernel lets it run. Any other failure than a refusal is raised."""
    try:
        subprocess.run([str(script)], check=True, capture_output=True, timeout=20)
    except PermissionError:
        return False
    return True


@contextmanager
def running(data: Path) -> Iterator[RunningPortal]:
    """Everything, started below `data` on free ports; at the end nothing of it is left.

    With TEST_PORTAL=<data directory> the portal that runs there already is used, and left alone at the end.
    """
    if elsewhere := os.environ.get("TEST_PORTAL"):
        layout = Layout.at(Path(elsewhere))
        yield RunningPortal(int(layout.lock.read_text()), layout, json.loads(layout.demo.read_text()))
        return
    layout = Layout.at(data)
    layout.make_directories()
    layout.lock.touch()
    process = _start(layout)
    family: set[int] = set()
    try:
        yield RunningPortal(process.pid, layout, json.loads(layout.demo.read_text()))
    finally:
        family = descendants(process.pid)
        process.terminate()
        process.wait(90)
        left = [line for line in map(command_line, family) if line]
        mounts = mounts_below(layout.data)
        reset(layout)
    assert left == [], "processes outlived the portal"
    assert mounts == [], "mounts outlived the portal"


def _start(layout: Layout) -> subprocess.Popen[str]:
    """The supervisor, when it has said that everything is ready."""
    output = layout.data / "terminal.txt"
    kept = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    chosen = {"DATA_DIR": str(layout.data), "PORT": str(free_port()), "API_RATE_PER_MINUTE": "60000"}
    with output.open("w") as terminal:
        command = (sys.executable, "-m", "portal.supervisor", "run")
        process = subprocess.Popen(command, cwd=CHECKOUT, env={**kept, **chosen}, stderr=terminal, text=True)
    wait_until(lambda: "is ready" in output.read_text() or process.poll() is not None, START_WITHIN_SECONDS)
    if process.poll() is not None or "is ready" not in output.read_text():
        process.kill()
        logs = "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in layout.logs.glob("*"))
        pytest.fail(f"the portal did not start:\n{output.read_text()}\n{logs}")
    return process
