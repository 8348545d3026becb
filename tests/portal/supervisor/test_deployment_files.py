"""The production files: nothing runs as root, nothing is secret in them, everything is watched and pinned."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from portal.supervisor.layout import CHECKOUT

COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUNS_ONCE = {"database", "prepare"}
LASTING = sorted(set(SERVICES) - RUNS_ONCE)
SECRET_WORDS = re.compile(r"PASSWORD|SECRET|_URL|TOKEN", re.IGNORECASE)
REGISTRY_HOSTS = ("pypi.org", "pythonhosted", "docker.io", "ghcr.io", "quay.io", "npmjs", "gcr.io")


def test_all_parts_of_portcullis_are_there() -> None:
    assert set(LASTING) == {"postgres", "valkey", "web", "gateway", "worker", "beat", "proxy"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_runs_as_root_or_may_become_it(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["cap_drop"] == ["ALL"]
    if name != "proxy":  # its program file carries a capability
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", LASTING)
def test_every_lasting_container_is_watched_restarted_and_may_open_files(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert service["ulimits"]["nofile"]["soft"] >= 65536
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_has_a_default(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if variable in {"EMAIL_HOST_PASSWORD", "PORTAL_URL", "STREAM_URL"} or not SECRET_WORDS.search(variable):
            continue
        assert re.search(r"\$\{[A-Z_]+:\?", value), f"{name}: {variable} must stop compose when it is missing"
        assert not re.search(r"\$\{[A-Z_]*(PASSWORD|SECRET)[A-Z_]*(:-|\})", value)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_image_is_ours_or_pinned_to_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image.startswith("portcullis-") or re.search(r":\d+\.\d+", image)


def test_only_preparation_holds_the_owner_s_address_and_only_one_step_the_superuser_s() -> None:
    def holders(variable: str) -> set[str]:
        return {name for name, service in SERVICES.items() if variable in service.get("environment", {})}

    assert holders("DATABASE_OWNER_URL") == {"database", "prepare"}
    assert holders("DATABASE_ADMIN_URL") == {"database"}
    assert holders("POSTGRES_PASSWORD") == {"postgres"}


def test_only_the_proxy_can_be_reached_from_outside() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}
    assert COMPOSE["networks"]["store"]["internal"] is True
    assert SERVICES["postgres"]["networks"] == SERVICES["valkey"]["networks"] == ["store"]
    assert "store" not in SERVICES["proxy"]["networks"]


def test_the_portal_starts_only_after_the_migrations() -> None:
    for name in ("web", "gateway", "worker", "beat"):
        assert SERVICES[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
    assert SERVICES["prepare"]["depends_on"]["database"]["condition"] == "service_completed_successfully"


def test_every_role_of_the_compose_file_is_known_to_the_entry_script() -> None:
    script = (CHECKOUT / "deploy/entry").read_text()
    roles = {service["command"][0] for service in SERVICES.values() if "portcullis-app" in service["image"]}
    assert roles == {"database", "prepare", "web", "gateway", "worker", "beat"}
    for role in roles:
        assert re.search(rf"^  {role}\)", script, re.MULTILINE)


def test_an_unknown_role_is_refused_with_the_list() -> None:
    done = subprocess.run((CHECKOUT / "deploy/entry", "mail"), capture_output=True, text=True)
    assert done.returncode == 64
    assert "usage: entry database | prepare | web" in done.stderr


def test_what_the_image_copies_exists() -> None:
    for line in (CHECKOUT / "deploy/Dockerfile").read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (CHECKOUT / source).exists(), source


def test_the_stream_is_never_held_back_by_the_proxy() -> None:
    stream = (CHECKOUT / "deploy/Caddyfile").read_text().split("handle @stream", 1)[1].split("handle {", 1)[0]
    assert "flush_interval -1" in stream
    assert "encode" not in stream


def tracked_files() -> list[Path]:
    listed = subprocess.run(("git", "ls-files"), cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return [CHECKOUT / name for name in listed.stdout.splitlines()]


def test_no_file_names_a_registry_or_a_directory_of_one_machine() -> None:
    suffixes = {".py", ".toml", ".yml", ".in", ".lock", ".sh", ".cfg", ""}
    home = re.compile(r"/(home|root|Users)/[a-z]+/")
    for path in tracked_files():
        if path.suffix not in suffixes or not path.is_file() or path == Path(__file__).resolve():
            continue
        if "tests" in path.parts or "builtin" in path.parts or "demo" in path.parts:
            continue
        text = path.read_text(errors="replace")
        for host in REGISTRY_HOSTS:
            assert host not in text, f"{path} names {host}"
        if path.parent == CHECKOUT or "supervisor" in path.parts or "deploy" in path.parts:
            assert not home.search(text), f"{path} names a directory of one machine"


def test_make_help_lists_the_tasks() -> None:
    told = subprocess.run(("make", "help"), cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for task in ("run", "test", "lint", "bench", "bench-full", "reset"):
        assert re.search(rf"^  make {task} +\S", told, re.MULTILINE)


def test_continuous_integration_runs_make_test_and_nothing_else() -> None:
    script = CHECKOUT / ".ci/run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1] == "exec make test"


def probe(*arguments: str) -> int:
    return subprocess.run((sys.executable, CHECKOUT / "deploy/probe.py", *arguments)).returncode


def test_the_probe_of_beat_wants_a_schedule_written_lately(tmp_path: Path) -> None:
    schedule = tmp_path / "beat"
    assert probe(str(schedule), "600") == 1
    (tmp_path / "beat.db").touch()
    assert probe(str(schedule), "600") == 0
    os.utime(tmp_path / "beat.db", (0, 0))
    assert probe(str(schedule), "600") == 1


def test_the_probe_of_an_address_where_nobody_listens_fails() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert probe(f"http://127.0.0.1:{closed.getsockname()[1]}/healthz") == 1
