"""The state directory: identity, trust, the bundle in force and the one before it, blobs. Every write is
atomic.

Files are readable by the owner only; only `status.json` and the control socket are for everybody.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.endpoint.clock import ClockRecord
from agents.endpoint.modes import ModeRecord
from agents.protocol.acceptance import AgentState
from agents.protocol.manifest import Checkpoint, TrustRoot

T = TypeVar("T")
SYNC = "sync"


class StoreError(RuntimeError):
    """The state directory cannot be used; `str()` says what to do."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who this agent is, as enrolment left it."""

    portal_url: str
    computer: str
    organization: str
    key_id: str
    status: str = "active"
    ca_file: str = ""
    insecure: bool = False


class StoredBundle(msgspec.Struct, frozen=True):
    """A manifest envelope that passed every check, the state it led to, and the trust it was checked against."""

    envelope: bytes
    state: AgentState
    trust: TrustRoot


@dataclass(frozen=True, slots=True)
class Store:
    """Paths and atomic reads and writes below one directory."""

    root: Path

    @staticmethod
    def open(root: str | os.PathLike[str]) -> Store:
        """The store at `root`, made if need be. Raises StoreError."""
        path = Path(root).absolute()
        try:
            for directory, mode in ((path, 0o711), (path / SYNC, 0o711), (path / SYNC / "blobs", 0o700)):
                directory.mkdir(parents=True, exist_ok=True)
                directory.chmod(mode)
            _link(path / "status.json", f"{SYNC}/status.json")
        except OSError as error:
            raise StoreError(f"cannot use the state directory {path}: {error.strerror}") from error
        return Store(path)

    @property
    def sync(self) -> Path:
        """All the syncer may write."""
        return self.root / SYNC

    @property
    def socket(self) -> Path:
        """Where the running agent listens to people."""
        return self.sync / "agent.sock"

    @property
    def spool(self) -> Path:
        """The database of events not delivered yet."""
        return self.sync / "spool.db"

    def lock(self) -> int:
        """Claim this directory for one running agent. Raises StoreError while another holds it."""
        fd = os.open(self.root / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise StoreError(f"an agent is already running with {self.root}") from None
        return fd

    def save_key(self, key: Ed25519PrivateKey) -> None:
        """Keep the private key; it never leaves this directory."""
        self._write("key", key.private_bytes_raw())

    def key(self) -> Ed25519PrivateKey:
        """The private key. Raises StoreError before enrolment."""
        raw = self._bytes("key")
        if raw is None or len(raw) != 32:
            raise StoreError(f"{self.root} holds no key: run `portcullis-agent enroll` first")
        return Ed25519PrivateKey.from_private_bytes(raw)

    def save_identity(self, identity: Identity) -> None:
        """Keep what enrolment said."""
        self._write("identity.json", msgspec.json.encode(identity))

    def identity(self) -> Identity | None:
        """What enrolment said; None before it."""
        raw = self._bytes("identity.json")
        return None if raw is None else _from_json(raw, Identity)

    def save_trust(self, trust: TrustRoot) -> None:
        """Keep whose signatures count."""
        self._write("trust.msgpack", msgspec.msgpack.encode(trust))

    def trust(self) -> TrustRoot | None:
        """Whose signatures count; None before enrolment."""
        return self._read("trust.msgpack", TrustRoot)

    def save_state(self, state: AgentState) -> None:
        """Keep the floor below which no version is accepted."""
        self._write("state.msgpack", msgspec.msgpack.encode(state))

    def state(self) -> AgentState | None:
        """The floor: the higher of the state file and what the bundle in force says."""
        state, bundle = self._read("state.msgpack", AgentState), self.bundle()
        if state is None or bundle is None:
            return state
        if (bundle.state.epoch, bundle.state.version) > (state.epoch, state.version):
            seen = max(state.checkpoint_issued_at, bundle.state.checkpoint_issued_at)
            return msgspec.structs.replace(bundle.state, checkpoint_issued_at=seen)
        return state

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep the last checkpoint: its end decides between current and stale."""
        self._write("checkpoint.msgpack", msgspec.msgpack.encode(checkpoint))

    def checkpoint(self) -> Checkpoint | None:
        """The last checkpoint."""
        return self._read("checkpoint.msgpack", Checkpoint)

    def save_bundle(self, bundle: StoredBundle) -> None:
        """Make this the bundle in force; the one before it is kept in case this one cannot be read one day."""
        if before := self._bytes("bundle.msgpack"):
            self._write("previous.msgpack", before)
        self._write("bundle.msgpack", msgspec.msgpack.encode(bundle))
        self.save_state(bundle.state)

    def bundle(self) -> StoredBundle | None:
        """The bundle in force; None when there is none or it is unreadable."""
        return self._read("bundle.msgpack", StoredBundle)

    def previous_bundle(self) -> StoredBundle | None:
        """The bundle before the one in force."""
        return self._read("previous.msgpack", StoredBundle)

    def save_candidate(self, envelope: bytes) -> None:
        """Lay out a manifest envelope as it was fetched, for the worker to examine."""
        self._write(f"{SYNC}/candidate", envelope)

    def candidate(self) -> bytes:
        """The envelope laid out to be examined; empty when there is none."""
        return self._bytes(f"{SYNC}/candidate") or b""

    def save_blob(self, digest: str, blob: bytes) -> None:
        """Keep a blob; whoever uses it checks its digest."""
        self._write(f"{SYNC}/blobs/{digest}", blob)

    def blob(self, digest: str) -> bytes | None:
        """A blob, unchecked; None when it is not here."""
        return self._bytes(f"{SYNC}/blobs/{digest}")

    def prune_blobs(self, keep: set[str]) -> None:
        """Remove every blob not in `keep`."""
        for path in (self.sync / "blobs").iterdir():
            if path.name not in keep:
                path.unlink(missing_ok=True)

    def save_mode(self, record: ModeRecord) -> None:
        """Keep the mode window and whether it is over."""
        self._write("mode.msgpack", msgspec.msgpack.encode(record))

    def mode(self) -> ModeRecord:
        """The mode window; a default, secured one before the first bundle."""
        return self._read("mode.msgpack", ModeRecord) or ModeRecord()

    def save_clock(self, record: ClockRecord) -> None:
        """Keep the highest time seen."""
        self._write("clock.msgpack", msgspec.msgpack.encode(record))

    def clock(self) -> ClockRecord:
        """The highest time seen."""
        return self._read("clock.msgpack", ClockRecord) or ClockRecord()

    def save_status(self, status: bytes) -> None:
        """Publish what `portcullis-agent status` shows. Not synced to disk: it is rewritten every few
        seconds.
        """
        self._write(f"{SYNC}/status.json", status, mode=0o644, durable=False)

    def status(self) -> bytes | None:
        """The last published status."""
        return self._bytes(f"{SYNC}/status.json")

    def _read(self, name: str, kind: type[T]) -> T | None:
        raw = self._bytes(name)
        return None if raw is None else _from_msgpack(raw, kind)

    def _bytes(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, name: str, content: bytes, mode: int = 0o600, *, durable: bool = True) -> None:
        path = self.root / name
        # One name per writer: guardian, worker and syncer may write the same file at the same moment.
        passing = path.with_name(f"{path.name}.{os.getpid()}.new")
        fd = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
            os.fchmod(fd, mode)
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        passing.replace(path)
        if durable:
            _sync_directory(path.parent)


def _link(path: Path, target: str) -> None:
    """A symbolic link at `path`, whatever was there before."""
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _from_msgpack(raw: bytes, kind: type[T]) -> T | None:
    """The struct in `raw`; None when it is damaged: the caller then treats it as missing."""
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _from_json(raw: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
