"""A data directory of its own for each test, and small programs that behave well or badly on purpose."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.supervisor.children import Children
from portal.supervisor.console import Console
from portal.supervisor.layout import Layout
from portal.supervisor.programs import Program
from portal.supervisor.reset import reset

ProgramMaker = Callable[..., Program]


@pytest.fixture
def environment() -> dict[str, str]:
    """What an empty shell gives: no address of a server that somebody else has started."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    found = Layout.at(tmp_path / "data")
    found.make_directories()
    found.lock.touch()
    yield found
    reset(found)


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def children(layout: Layout, console: Console) -> Iterator[Children]:
    with Children(layout.logs, console) as found:
        yield found


@pytest.fixture
def program(environment: dict[str, str]) -> ProgramMaker:
    """`program("name", "python source")`: a program that runs that source."""

    def make(name: str, source: str, **options: object) -> Program:
        return Program(name, (sys.executable, "-c", source), environment, **options)  # type: ignore[arg-type]

    return make
