"""What the demo leaves for people and programs: demo.json, the fleet's file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings

from agents.simulate import fleet_file
from portal.demo.scenario import LIVE_COMPUTERS
from portal.demo.setup import Demo

NAME = "demo.json"


def fleet_path() -> Path:
    return Path(settings.DATA_DIR) / "fleet.msgpack"


def read_fleet() -> fleet_file.Fleet:
    return fleet_file.load(fleet_path())


def live_computers() -> list[tuple[str, str]]:
    """(name, install key) of the live Linux computers that demo.json names."""
    path = Path(settings.DATA_DIR) / NAME
    found = json.loads(path.read_text()) if path.exists() else {}
    return [(row["name"], row["install_key"]) for row in found.get("live_computers", [])]


def computer_directory(name: str) -> Path:
    """What a live Linux computer of the demo guards."""
    return Path(settings.DATA_DIR) / "computers" / name


def write_drafts(demo: Demo) -> None:
    """Write everything beside its final place; `publish` moves it there once the rows are committed."""
    fleet_file.save(_draft(fleet_path()), demo.fleet)
    path = _draft(Path(settings.DATA_DIR) / NAME)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content(demo), file, indent=2)


def publish() -> bool:
    """Move the drafts into place; False when there are none. Repeatable: a start that was killed goes on here."""
    found = False
    for path in (fleet_path(), Path(settings.DATA_DIR) / NAME):
        if _draft(path).exists():
            _draft(path).replace(path)
            found = True
    return found


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def content(demo: Demo) -> dict[str, Any]:
    """demo.json, by the set-up contract: the first person is the MSP owner."""
    first = demo.people[0]
    return {
        "url": settings.PORTAL_URL,
        "email": first.user.email,
        "password": first.password,
        "api_token": first.api_token,
        "organizations": [{"id": str(o.id), "slug": o.slug, "name": o.name} for o in demo.organizations],
        "people": [
            {
                "name": person.user.name,
                "email": person.user.email,
                "password": person.password,
                "role": person.role.value,
                "organization": person.organization.slug,
                "api_token": person.api_token,
            }
            for person in demo.people
        ],
        "live_computers": [
            {
                "name": name,
                "directory": str(computer_directory(name)),
                "install_key": demo.live_install_key,
            }
            for name in LIVE_COMPUTERS
        ],
    }
