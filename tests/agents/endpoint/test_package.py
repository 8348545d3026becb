"""The agent as it is installed: complete without Django, the same bytes every time, checked before it is used."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agents.endpoint import package


def test_the_archive_is_the_same_every_time() -> None:
    first = package.archive()
    package.archive.cache_clear()
    assert package.archive() == first


def test_the_archive_holds_three_packages_and_nothing_of_the_portal() -> None:
    names = zipfile.ZipFile(io.BytesIO(package.archive())).namelist()
    assert "agents/endpoint/worker.py" in names
    assert "policies/engine/engine.py" in names
    for name in names:
        assert name.startswith(("agents/protocol/", "agents/endpoint/", "policies/engine/")) or name in {
            "__main__.py",
            "agents/__init__.py",
            "policies/__init__.py",
        }


def test_the_archive_runs_and_never_imports_django(tmp_path: Path) -> None:
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(package.archive())
    code = (
        "import runpy, sys; sys.argv = ['agent.pyz', 'status', '--state', sys.argv[2]]\n"
        f"sys.path.insert(0, {str(archive)!r})\n"
        "try: runpy.run_path(sys.path[0], run_name='__main__')\n"
        "except SystemExit as end: print(end.code)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'django', 'celery', 'portal', 'audit'}))"
    )
    command = [sys.executable, "-P", "-c", code, "-", str(tmp_path / "state")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines() == ["2", "[]"]


def test_the_requirements_are_all_locked_by_hash() -> None:
    text = package.requirements().decode()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins) >= 6
    assert all("==" in line and line.endswith("\\") for line in pins)
    assert "django" not in text.lower()


def test_the_installer_carries_the_digests_and_quotes_the_address() -> None:
    script = package.install_script("https://portal.example/a b/")
    assert "PORTAL='https://portal.example/a b'\n" in script
    assert hashlib.sha256(package.archive()).hexdigest() in script
    assert hashlib.sha256(package.requirements()).hexdigest() in script
    assert "@" not in script.partition("PREFIX=")[0].partition("PORTAL=")[2]


def test_the_installer_is_a_valid_posix_script(tmp_path: Path) -> None:
    package.write(tmp_path, "https://portal.example")
    assert subprocess.run(["sh", "-n", str(tmp_path / "install.sh")]).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.pyz", "install.sh", "requirements.txt"]


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({}, "say what to guard"),
        ({"PORTCULLIS_GUARD": "/srv; reboot"}, "paths may hold"),
        ({"PORTCULLIS_GUARD": "/srv", "PYTHON": "false"}, "Python 3.11"),
    ],
)
def test_the_installer_refuses_before_it_touches_anything(
    tmp_path: Path, environment: dict[str, str], complaint: str
) -> None:
    if os.geteuid() != 0:
        complaint = "this needs root"
    package.write(tmp_path, "http://127.0.0.1:9")
    place = {"PORTCULLIS_PREFIX": str(tmp_path / "prefix"), "PORTCULLIS_STATE": str(tmp_path / "state")}
    done = subprocess.run(
        ["sh", str(tmp_path / "install.sh")],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], **place, **environment},
    )
    assert done.returncode == 1
    assert complaint in done.stderr
    assert not (tmp_path / "prefix").exists()


def test_the_installer_refuses_an_archive_that_was_exchanged(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("the installer asks for root first")
    served = tmp_path / "served" / "agent" / "v1"
    package.write(served, "unused")
    (served / "agent.pyz").write_bytes(b"something else")
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path / "served",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split("port ")[1].split()[0]
        script = tmp_path / "install.sh"
        script.write_text(package.install_script(f"http://127.0.0.1:{port}"))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHON": shutil.which("python3") or sys.executable,
            "PORTCULLIS_GUARD": "/srv",
            "PORTCULLIS_PREFIX": str(tmp_path / "prefix"),
        }
        done = subprocess.run(["sh", str(script)], capture_output=True, text=True, env=environment)
        assert done.returncode != 0
        assert "not what this installer was made for" in done.stderr
        assert not (tmp_path / "prefix").exists()
    finally:
        server.kill()
        server.wait()
