"""The embedded Valkey: broker, cache and wake-ups, on a private unix socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.supervisor.binaries import valkey_server
from portal.supervisor.layout import Layout, private_directory
from portal.supervisor.programs import Program

ANSWER_WITHIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Valkey:
    server: Path
    directory: Path
    socket: Path
    throwaway: bool

    def url(self) -> str:
        """As redis-py reads it; Celery's `redis+socket://` is made of it by the settings."""
        return f"unix://{self.socket}"

    def program(self, environment: Mapping[str, str]) -> Program:
        keep = ("--appendonly", "no") if self.throwaway else ("--appendonly", "yes", "--aof-load-truncated", "yes")
        return Program(
            name="valkey",
            argv=(
                *(
                    str(self.server),
                    "--port",
                    "0",
                    "--unixsocket",
                    str(self.socket),
                    "--unixsocketperm",
                    "700",
                ),
                *("--dir", str(self.directory), "--save", "", *keep, "--maxmemory-policy", "noeviction"),
                *("--maxclients", "10000", "--loglevel", "notice", "--daemonize", "no"),
            ),
            environment=environment,
            directory=Path("/"),
            ready=self.is_ready,
            mend=self.mend,
        )

    def is_ready(self) -> bool:
        """True when it answers PING; while it still loads its file it says LOADING."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_WITHIN_SECONDS)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def mend(self) -> None:
        self.socket.unlink(missing_ok=True)


def embedded_valkey(layout: Layout, *, throwaway: bool = False) -> Valkey:
    private_directory(layout.valkey)
    return Valkey(valkey_server(), layout.valkey, layout.socket_directory(layout.valkey) / "valkey.sock", throwaway)
