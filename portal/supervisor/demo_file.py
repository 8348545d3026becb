"""`demo.json`: tells people and scripts, once the portal answers, where it is and who can sign in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.supervisor.layout import Layout


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str
    password: str
    role: str
    organization: str


@dataclass(frozen=True, slots=True)
class LiveComputer:
    """A real Linux agent of the demo: what it guards, and the key it enrolls with."""

    name: str
    directory: Path
    install_key: str


@dataclass(frozen=True, slots=True)
class DemoFile:
    """The file appears only while the portal answers or has answered; during a start it is parked beside."""

    path: Path

    @classmethod
    def of(cls, layout: Layout) -> DemoFile:
        return cls(layout.demo)

    @property
    def parked(self) -> Path:
        return self.path.with_name("demo.parked.json")

    def park(self) -> None:
        """Hide the file until `publish`; a newer file replaces an older one."""
        if self.path.exists():
            self.path.replace(self.parked)

    def publish(self, url: str) -> None:
        """Show it again with the address of this run; nothing happens when there is none."""
        if not self.parked.exists():
            return
        draft = self.parked.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.chmod(0o600)
        draft.write_text(json.dumps({**self._read(self.parked), "url": url}, indent=2) + "\n")
        draft.replace(self.path)
        self.parked.unlink()

    def people(self) -> list[Person]:
        """Who can sign in, the MSP owner first; empty without a demo."""
        rows = self._read(self.path).get("people", [])
        fields = Person.__dataclass_fields__
        return [Person(**{name: str(row.get(name, "")) for name in fields}) for row in rows]

    def live_computers(self) -> list[LiveComputer]:
        rows = self._read(self.path).get("live_computers", [])
        return [LiveComputer(row["name"], Path(row["directory"]), row["install_key"]) for row in rows]

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        return found if isinstance(found, dict) else {}
