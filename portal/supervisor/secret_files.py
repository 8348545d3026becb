"""Secrets that are made once per data directory and never leave it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def secret(directory: Path, name: str) -> str:
    """The secret called `name`, made at the first call: file mode 0600, 48 random bytes, URL-safe text."""
    path = directory / name
    try:
        kept = path.read_text().strip()
    except FileNotFoundError:
        kept = ""
    if kept:
        path.chmod(0o600)
        return kept
    return _make(path)


def _make(path: Path) -> str:
    value = secrets.token_urlsafe(48)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)  # a start that is killed here leaves no half-written secret
    return value
