"""Where everything of one running Portcullis lies on disk.

One `Layout` belongs to one data directory; two layouts never share a file.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.supervisor.errors import StartRefused

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED_DATA_ROOT = Path("/var/lib/portcullis")
LONGEST_SOCKET_PATH = 103  # macOS: 104 bytes with the closing NUL; Linux has four more
LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one data directory. `data` is absolute; nothing exists until `make_directories`."""

    data: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Layout:
        return cls.at(Path(environment.get("DATA_DIR") or CHECKOUT / ".run"))

    @classmethod
    def at(cls, data: Path) -> Layout:
        return cls(CHECKOUT.joinpath(data.expanduser()).resolve())

    @property
    def key(self) -> str:
        """Short name of this data directory, the same at every start."""
        return hashlib.sha256(str(self.data).encode()).hexdigest()[:12]

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def secrets(self) -> Path:
        return self.data / "secrets"

    @property
    def lock(self) -> Path:
        return self.data / "lock"

    @property
    def demo(self) -> Path:
        return self.data / "demo.json"

    @property
    def computers(self) -> Path:
        return self.data / "computers"

    @property
    def agents(self) -> Path:
        """State of the demo's real agents, on a file system that none of them guards."""
        return self.data / "agents"

    @property
    def environment_script(self) -> Path:
        return self.data / "env.sh"

    @property
    def valkey(self) -> Path:
        return self.data / "valkey"

    @property
    def served(self) -> Path:
        """Where the settings have the served files collected."""
        return self.data / "static"

    @property
    def cluster_home(self) -> Path:
        """Holds the PostgreSQL cluster: for root outside the checkout, where another account can go."""
        return SHARED_DATA_ROOT / self.key if os.geteuid() == 0 else self.data

    @property
    def cluster(self) -> Path:
        return self.cluster_home / "postgres"

    def make_directories(self) -> None:
        """Create what is missing; secrets are for the owner only. Raises StartRefused."""
        try:
            for directory in (self.data, self.logs, self.valkey, self.served):
                directory.mkdir(parents=True, exist_ok=True)
            self.secrets.mkdir(mode=0o700, exist_ok=True)
            self.secrets.chmod(0o700)
        except OSError as reason:
            raise StartRefused(f"{self.data} cannot be used ({reason.strerror}); set DATA_DIR to another.") from None

    def socket_directory(self, wanted: Path) -> Path:
        """`wanted`, or a short private directory when a socket in it would have too long a path."""
        if len(os.fsencode(wanted)) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH:
            return wanted
        digest = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
        return private_directory(Path(tempfile.gettempdir()) / f"portcullis-{digest}")


def private_directory(path: Path) -> Path:
    """Make `path` for us alone. Raises StartRefused when somebody else already holds that name."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StartRefused(f"{path} belongs to somebody else; remove it or set DATA_DIR to a shorter path")
    path.chmod(0o700)
    return path
