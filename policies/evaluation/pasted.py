"""Facts as people paste them: `name: value` lines, a JSON object, or just a path and a hash. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

_NAMES = {
    "path": "path", "file": "path", "full path": "path", "image": "path",
    "sha256": "sha256", "sha-256": "sha256", "hash": "sha256",
    "certificate": "certificate", "signer": "certificate", "subject": "certificate", "signed by": "certificate",
    "process": "process", "parent": "process", "launched by": "process", "process path": "process",
    "created by": "created_by", "created_by": "created_by", "installed by": "created_by",
    "user": "user", "username": "user",
    "command": "command_line", "command line": "command_line", "command_line": "command_line",
    "action type": "action_type", "action_type": "action_type", "action": "action_type",
}  # fmt: skip
_LONGEST_NAME = 20
_HASH = re.compile("[0-9a-fA-F]{64}")
_EMPTY = ("", "-", "–", "—", "unsigned", "none", "null")


def read_pasted(text: str) -> dict[str, str]:
    """Field of the question -> value, of what could be recognized; the first of each wins. Never raises."""
    found = _from_json(text)
    for line in text.splitlines() if not found else ():
        name, value = _line(line.strip())
        if name and value.lower() not in _EMPTY:
            found.setdefault(name, value)
    return found


def _from_json(text: str) -> dict[str, str]:
    try:
        thing = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    facts: Any = thing.get("facts", thing) if isinstance(thing, dict) else {}
    if not isinstance(facts, dict):
        return {}
    known = (
        (_NAMES.get(str(name).lower().replace("_", " ")) or _NAMES.get(str(name).lower()), v)
        for name, v in facts.items()
    )
    return {name: value for name, value in known if name and isinstance(value, str) and value.lower() not in _EMPTY}


def _line(line: str) -> tuple[str, str]:
    """(field, value) of one line; ("", "") for one that says nothing."""
    for separator in (":", "=", "\t"):
        label, found, value = line.partition(separator)
        name = _NAMES.get(label.strip().lower()) if len(label) <= _LONGEST_NAME else None
        if found and name:
            return name, value.strip().strip('"')
    bare = line.strip('"')
    if _HASH.fullmatch(bare):
        return "sha256", bare
    if bare.startswith(("/", "\\\\")) or re.match(r"[A-Za-z]:[\\/]", bare):
        return "path", bare
    return "", ""
