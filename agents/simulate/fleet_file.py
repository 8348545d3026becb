"""The fleet on disk: which computers pretend to be there, their keys, and what each has accepted.

One MessagePack file, readable by its owner only, replaced in one step.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from agents.protocol.acceptance import AgentState
from agents.protocol.manifest import TrustRoot


class Member(msgspec.Struct, kw_only=True):
    """One pretend computer. `private_key` is raw Ed25519; `state` is None until it is enrolled."""

    name: str
    machine_id: str
    os: str = "windows"
    profile: str = "office"
    install_key: str = ""
    private_key: bytes = b""
    key_id: str = ""
    state: AgentState | None = None
    trust: TrustRoot | None = None
    manifest: bytes = b""
    clock_offset_s: float = 0.0


class Fleet(msgspec.Struct, kw_only=True):
    members: list[Member] = []


def load(path: Path) -> Fleet:
    """The fleet of `path`; an empty one when there is no such file. Raises msgspec.DecodeError on a broken one."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Fleet)
    except FileNotFoundError:
        return Fleet()


def save(path: Path, fleet: Fleet) -> None:
    """Write the whole fleet; after a crash the file is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(fleet))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
