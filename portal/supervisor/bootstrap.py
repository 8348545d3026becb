"""Makes the virtual environment from a hash-locked list. Standard library only, any Python from 3.11 on.

    python3 portal/supervisor/bootstrap.py embedded     # or runtime, dev

Quick when nothing has changed: a stamp in the environment names the lock it was installed from. A half-made
environment is made again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = CHECKOUT / "requirements"
ENVIRONMENT = CHECKOUT / os.environ.get("VENV", ".venv")
PYTHON = ENVIRONMENT / "bin" / "python"


class Unbootable(Exception):
    """The environment cannot be made; the message says what is missing."""


def main(arguments: list[str]) -> int:
    try:
        bootstrap(arguments[0] if arguments else "embedded")
    except Unbootable as reason:
        print(f"Portcullis: {reason}", file=sys.stderr)
        return 1
    return 0


def bootstrap(layer: str) -> None:
    """Bring the environment to `requirements/<layer>.lock`. Raises Unbootable."""
    if sys.version_info < OLDEST_PYTHON:
        raise Unbootable(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Set PYTHON=...")
    lock = REQUIREMENTS / f"{layer}.lock"
    stamp = ENVIRONMENT / f".{layer}.installed"
    wanted = fingerprint(lock)
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    if not works(str(PYTHON), "-m", "uv", "--version"):
        make_environment()
    print(
        f"Installing {lock.relative_to(CHECKOUT)} into {ENVIRONMENT.relative_to(CHECKOUT)} ...",
        file=sys.stderr,
    )
    install(lock)
    stamp.write_text(wanted)


def fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def make_environment() -> None:
    """A fresh environment with the pinned installer in it."""
    print(
        f"Making {ENVIRONMENT.relative_to(CHECKOUT)} with Python {sys.version.split()[0]} ...",
        file=sys.stderr,
    )
    ensure_venv_module()
    run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT))
    lock = str(REQUIREMENTS / "bootstrap.lock")
    run(
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        lock,
    )


def ensure_venv_module() -> None:
    """Debian keeps a part of Python in a package of its own: root may install it, others are told."""
    if works(sys.executable, "-c", "import ensurepip, venv"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unbootable(f"This Python cannot make virtual environments: apt-get install {package}.")
    run("apt-get", "update", "--quiet", "--quiet")
    run("apt-get", "install", "--yes", "--no-install-recommends", package, DEBIAN_FRONTEND="noninteractive")


def install(lock: Path) -> None:
    """Every file is checked against its hash; bytecode is made now, or the first start would pay for it.

    The quick installer knows neither a company's certificates nor pip's settings by itself: first it is asked
    again with the system's certificates, then pip does the same work, slowly.
    """
    hashed = ("--require-hashes", "-r", str(lock))
    quick = (str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON), *hashed)
    options = ("--compile-bytecode", "--link-mode=copy")
    for certificates in ((), ("--system-certs",)):
        if works(*quick, *options, *certificates, UV_PYTHON_DOWNLOADS="never"):
            return
    print("uv could not fetch everything; trying pip, which takes a minute ...", file=sys.stderr)
    run(str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *hashed)


def works(*command: str, **environment: str) -> bool:
    whole = {**os.environ, **environment}
    try:
        return subprocess.run(command, capture_output=True, cwd=CHECKOUT, env=whole).returncode == 0
    except OSError:
        return False


def run(*command: str, **environment: str) -> None:
    done = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **environment})
    if done.returncode:
        raise Unbootable(f"`{' '.join(command)}` failed (exit code {done.returncode}).")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
