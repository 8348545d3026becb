"""The agent as it is installed: one Python archive, its locked requirements, and a shell script that puts both in
place.

Needs no Django: the portal serves what these functions return, and a build can write it to files (`python -m
agents.endpoint.package DIRECTORY PORTAL_URL`). Nothing here holds a secret.
"""

from __future__ import annotations

import functools
import hashlib
import io
import shlex
import sys
import zipfile
from pathlib import Path

from agents.endpoint import VERSION

ROOT = Path(__file__).parents[2]
PACKAGES = ("agents/protocol", "agents/endpoint", "policies/engine")
ARCHIVE_NAME, REQUIREMENTS_NAME, SCRIPT_NAME = "agent.pyz", "requirements.txt", "install.sh"
_MAIN = "import sys\n\nfrom agents.endpoint.cli import main\n\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@functools.cache
def archive() -> bytes:
    """The program as a zip Python can run. The same sources give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name, content in sorted(_contents().items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, content)
    return out.getvalue()


@functools.cache
def requirements() -> bytes:
    """The third-party packages it needs, each with its hashes."""
    return (ROOT / "requirements" / "agent.lock").read_bytes()


def install_script(portal_url: str) -> str:
    """The installer for one portal. It checks what it downloads against the digests written into it here."""
    template = Path(__file__).with_name("install.sh.template").read_text()
    values = {
        "@PORTAL@": portal_url.rstrip("/"),
        "@VERSION@": VERSION,
        "@ARCHIVE_SHA256@": hashlib.sha256(archive()).hexdigest(),
        "@REQUIREMENTS_SHA256@": hashlib.sha256(requirements()).hexdigest(),
    }
    for placeholder, value in values.items():
        template = template.replace(placeholder, shlex.quote(value))
    return template


def write(directory: Path, portal_url: str) -> None:
    """Write the three files into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / ARCHIVE_NAME).write_bytes(archive())
    (directory / REQUIREMENTS_NAME).write_bytes(requirements())
    (directory / SCRIPT_NAME).write_text(install_script(portal_url))


def _contents() -> dict[str, bytes]:
    found = {"__main__.py": _MAIN.encode(), "agents/__init__.py": b"", "policies/__init__.py": b""}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            found[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    return found


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
