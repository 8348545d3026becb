"""The unprivileged account that PostgreSQL runs under when Portcullis is started by root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from portal.supervisor.errors import StartRefused

ACCOUNT_NAME = "postgres"


class PopenArguments(TypedDict, total=False):
    """What subprocess needs to change the account; empty: keep ours."""

    user: int
    group: int
    extra_groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int

    def can_read(self, path: Path) -> bool:
        """Asked of the kernel as that account; no permission is changed to make it so."""
        question = subprocess.run(("test", "-r", str(path)), cwd="/", **popen_arguments(self))
        return question.returncode == 0

    def give(self, path: Path) -> None:
        os.chown(path, self.uid, self.gid)


def popen_arguments(account: Account | None) -> PopenArguments:
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": ()}


def database_account() -> Account | None:
    """None for an ordinary user; for root the account `postgres`, made (without a login) when missing."""
    if os.geteuid() != 0:
        return None
    if sys.platform == "darwin":
        raise StartRefused("Start Portcullis as an ordinary user on macOS: PostgreSQL refuses to run as root.")
    try:
        found = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        found = _make_account()
    return Account(found.pw_name, found.pw_uid, found.pw_gid)


def _make_account() -> pwd.struct_passwd:
    if not shutil.which("useradd"):
        raise StartRefused(
            f"PostgreSQL refuses to run as root and there is no account `{ACCOUNT_NAME}` here. "
            "Start Portcullis as an ordinary user, or make that account."
        )
    options = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
    made = subprocess.run(("useradd", *options, ACCOUNT_NAME), capture_output=True, text=True)
    if made.returncode:
        raise StartRefused(f"The account `{ACCOUNT_NAME}` could not be made: {made.stderr.strip()}")
    return pwd.getpwnam(ACCOUNT_NAME)
