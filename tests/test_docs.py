"""What the documents promise is true: each setting is told, each told setting exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
READ = re.compile(r"""env\.(?:text|flag|number|words|database)\(\s*["']([A-Z_]+)["']""")
TOLD = re.compile(r"^\| `([A-Z_]+)`", re.MULTILINE)


def settings_read() -> set[str]:
    return {n for p in (ROOT / "portal").rglob("*.py") for n in READ.findall(p.read_text())}


def settings_told() -> set[str]:
    return set(TOLD.findall((ROOT / "docs" / "configuration.md").read_text()))


def test_every_setting_is_documented() -> None:
    assert settings_read() - settings_told() == set()


def test_every_documented_setting_exists() -> None:
    supervisor = "".join(p.read_text() for p in (ROOT / "portal" / "supervisor").rglob("*.py"))
    supervisor += (ROOT / "Makefile").read_text() + (ROOT / "agents" / "gateway.py").read_text()
    unknown = {n for n in settings_told() - settings_read() if n not in supervisor}
    assert unknown == set()
