"""The embedded PostgreSQL cluster: made once, mended after a crash, reached by a private unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.supervisor.account import Account, database_account, popen_arguments
from portal.supervisor.binaries import postgres_bin, readable_copy
from portal.supervisor.errors import StartRefused
from portal.supervisor.layout import Layout
from portal.supervisor.processes import command_line
from portal.supervisor.programs import Program, wait_until

SUPERUSER = "postgres"
FIRST_BUILTIN_LOCALE = 17

# The superuser is whoever started us, proven by the kernel; everybody else needs a password.
ACCESS = f"local all {SUPERUSER} peer map=launcher\nlocal all all scram-sha-256\n"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "192MB",
    "max_connections": "100",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "jit": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# For databases that live as long as one test run: they survive a kill but no power cut, and are quicker.
THROWAWAY_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """One PostgreSQL data directory and the server programs that fit it."""

    directory: Path
    bin: Path
    sockets: Path
    account: Account | None
    throwaway: bool

    def address(self) -> str:
        """For psycopg: the maintenance database as superuser."""
        return f"host={self.sockets} user={SUPERUSER} dbname=postgres"

    def create(self) -> None:
        """Make the cluster when there is none; a start killed halfway leaves a draft that is thrown away."""
        if not (self.directory / "PG_VERSION").exists():
            if self.directory.exists() and any(self.directory.iterdir()):
                raise StartRefused(f"{self.directory} is not empty and is not a PostgreSQL cluster.")
            self._create()
        self._check_version()
        self._write_access()

    def program(self, environment: Mapping[str, str]) -> Program:
        # SIGINT is a "fast" shutdown; TERM would wait for every client to leave.
        return Program(
            name="postgres",
            argv=(str(self.bin / "postgres"), "-D", str(self.directory), *self._options()),
            environment={**environment, "LC_ALL": "C", "TZ": "UTC"},
            directory=Path("/"),
            account=self.account,
            stop_signal=signal.SIGINT,
            grace_seconds=30.0,
            ready=self.is_ready,
            ready_within_seconds=300.0,  # crash recovery may have a lot to replay
            mend=self.mend,
        )

    def is_ready(self) -> bool:
        command = (
            str(self.bin / "pg_isready"),
            "--quiet",
            "--host",
            str(self.sockets),
            "--username",
            SUPERUSER,
        )
        return subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL).returncode == 0

    def mend(self) -> None:
        """End a server that a killed launcher left on this data and remove a stale postmaster.pid.

        The caller holds the run lock, so a live server here is nobody else's. A number in the file that now
        belongs to another program is left alone.
        """
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            leftover = self._running_process()
            if leftover is None:
                break
            os.kill(leftover, number)
            wait_until(lambda: self._running_process() is None, seconds=15.0)
        (self.directory / "postmaster.pid").unlink(missing_ok=True)

    def _running_process(self) -> int | None:
        try:
            process = int((self.directory / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        return process if str(self.directory) in command_line(process) else None

    def _options(self) -> Iterator[str]:
        chosen = {**SETTINGS, **(THROWAWAY_SETTINGS if self.throwaway else {})}
        for name, value in {**chosen, "unix_socket_directories": str(self.sockets)}.items():
            yield "-c"
            yield f"{name}={value}"

    def _create(self) -> None:
        draft = self.directory.with_name(f"{self.directory.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        if self.account:
            self.account.give(draft)
            if not self.account.can_read(draft):
                raise StartRefused(f"The account `{self.account.name}` cannot reach {draft.parent}.")
        unsynced = ("--no-sync",) if self.throwaway else ()
        self._run("initdb", "-D", str(draft), "-U", SUPERUSER, "-A", "peer", "-E", "UTF8", *unsynced, *self._locale())
        if self.directory.exists():
            self.directory.rmdir()
        draft.rename(self.directory)

    def _locale(self) -> tuple[str, ...]:
        """The built-in provider sorts the same on every platform; an upgrade of libc needs no re-index."""
        if self._server_version() < FIRST_BUILTIN_LOCALE:
            return ("--locale=C",)
        return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")

    def _check_version(self) -> None:
        made_by = (self.directory / "PG_VERSION").read_text().strip()
        if int(made_by) != self._server_version():
            raise StartRefused(
                f"The data was made by PostgreSQL {made_by}; the server is {self._server_version()}. "
                "Set PG_BIN to the old one, or see `Upgrade` in docs/operations.md."
            )

    def _server_version(self) -> int:
        return int(self._run("postgres", "--version").split()[2].split(".")[0])

    def _write_access(self) -> None:
        launcher = pwd.getpwuid(os.geteuid()).pw_name
        mapping = f"launcher {launcher} {SUPERUSER}\n"
        for name, text in (("pg_hba.conf", ACCESS), ("pg_ident.conf", mapping)):
            path = self.directory / name
            path.write_text(text)
            path.chmod(0o600)
            if self.account:
                self.account.give(path)

    def _run(self, name: str, *arguments: str) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            (str(self.bin / name), *arguments),
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **popen_arguments(self.account),
        )
        if done.returncode:
            raise StartRefused(f"{name} failed: {done.stderr.strip()}")
        return done.stdout


def embedded_cluster(layout: Layout, environment: Mapping[str, str], *, throwaway: bool = False) -> Cluster:
    """The cluster of this data directory, with server programs that its account can run."""
    account = database_account()
    home = layout.cluster_home
    home.mkdir(parents=True, exist_ok=True)
    if account:
        home.chmod(0o755)
    sockets = layout.socket_directory(layout.cluster)
    if account and sockets != layout.cluster:
        account.give(sockets)
    programs = readable_copy(postgres_bin(environment), account, home.parent if account else home)
    return Cluster(layout.cluster, programs, sockets, account, throwaway)
