"""What the journeys share: scripts of their own on the live computers, and pretend computers that live in a thread."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import ApiClient, RunningPortal, until

LINUX = "linux-workstations"
Scripts = Callable[..., Path]


@pytest.fixture
def technician(running_portal: RunningPortal) -> ApiClient:
    """A technician of Able Moose: the least who can do the main job."""
    return running_portal.api("technician", "able-moose")


@pytest.fixture
def script(running_portal: RunningPortal) -> Iterator[Scripts]:
    """`script("fin-01", "payroll")`: a script nobody has seen before, on that computer; gone after the test."""
    made: list[Path] = []

    def write(computer: str, name: str) -> Path:
        word = "".join(random.choices("ghkmnprstvwxyz", k=6))  # no hexadecimal: a pattern made of it is its own
        path = running_portal.computer(computer) / "scripts" / f"{name}-{word}.sh"
        path.write_text(f"#!/bin/sh\n# {uuid.uuid4()}\necho done\n")
        path.chmod(0o755)
        made.append(path)
        return path

    yield write
    for path in made:
        path.unlink(missing_ok=True)


def computer_named(api: ApiClient, name: str) -> dict[str, Any]:
    return next(row for row in api.get(f"computers/?q={name}")["results"] if row["name"] == name)


def event_of(api: ApiClient, path: Path | str, **filters: str) -> dict[str, Any]:
    """The newest event about a path, when it has arrived."""
    asked = "&".join(f"{name}={value}" for name, value in {"path": str(path), **filters}.items())
    rows: list[dict[str, Any]] = until(
        lambda: api.get(f"events/?from=1h&{asked}")["results"], 20, f"an event about {path} in the Unified Audit"
    )
    return rows[0]


def finished(api: ApiClient, deployment: str, seconds: float = 30) -> dict[str, Any]:
    """The deployment when it has ended well."""

    def look() -> dict[str, Any] | None:
        found = api.get(f"deployments/{deployment}/").body
        return found if found["state"] != "rolling" else None

    found = until(look, seconds, f"the end of deployment {deployment}")
    assert found is not None and found["state"] == "succeeded", found
    return found


def deploy(api: ApiClient, level: str, target: str) -> dict[str, Any]:
    """Press Deploy Policies and wait for its end."""
    made = api.post("deployments/", {"scope": {"level": level, "target": target}})
    return finished(api, made["id"])
