"""The demo's real computers guard small file systems of their own and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from portal.supervisor.children import Children
from portal.supervisor.computers import Agents, enforces_since, furnish, point_at, simulation, why_no_guard
from portal.supervisor.demo_file import LiveComputer
from portal.supervisor.layout import Layout
from portal.supervisor.mounts import mounts_below, unmount_below
from portal.supervisor.reset import reset


def can_mount() -> bool:
    asked = subprocess.run(("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"), capture_output=True)
    return os.geteuid() == 0 and asked.returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="needs root and the right to mount")


def test_an_agent_that_is_not_enrolled_has_no_address_to_correct(tmp_path: Path) -> None:
    assert point_at(tmp_path, "http://localhost:9000") is False


def test_an_enrolled_agent_follows_the_portal_to_another_port_and_keeps_all_else(tmp_path: Path) -> None:
    identity = tmp_path / "identity.json"
    identity.write_text(json.dumps({"portal_url": "http://localhost:8000", "computer": "c", "key_id": "k"}))
    assert point_at(tmp_path, "http://localhost:9000") is True
    assert json.loads(identity.read_text()) == {
        "portal_url": "http://localhost:9000",
        "computer": "c",
        "key_id": "k",
    }


def test_an_agent_counts_as_ready_when_it_says_in_this_run_that_it_enforces_a_bundle(tmp_path: Path) -> None:
    status = tmp_path / "status.json"
    began = time.time() - 10
    assert not enforces_since(status, began)()
    status.write_text('{"heartbeat": {"enforcing": true, "bundle_version": 0}}')
    assert not enforces_since(status, began)()
    status.write_text('{"heartbeat": {"enforcing": true, "bundle_version": 3}}')
    assert enforces_since(status, began)()
    os.utime(status, (began - 60, began - 60))  # what a former run said
    assert not enforces_since(status, began)()


def test_without_real_agents_the_simulation_stands_in_for_them() -> None:
    assert "--stand-ins" in simulation({}, stand_ins=True).argv
    assert "--stand-ins" not in simulation({}, stand_ins=False).argv
    assert simulation({}, stand_ins=True).essential is False


@pytest.mark.skipif(os.geteuid() == 0, reason="root may be able to guard")
def test_an_ordinary_user_is_told_why_there_are_no_real_agents() -> None:
    assert why_no_guard() == "they need root"


@needs_mounts
def test_what_a_computer_guards_is_a_file_system_of_its_own_with_scripts_to_try(layout: Layout) -> None:
    directory = layout.computers / "fin-01"
    furnish(directory)
    assert mounts_below(layout.data) == [directory]
    script = directory / "scripts" / "hello.sh"
    assert subprocess.run((script,), capture_output=True, text=True).stdout.startswith("Hello from fin-01")


@needs_mounts
def test_what_a_killed_run_left_mounted_is_made_anew(layout: Layout) -> None:
    directory = layout.computers / "fin-01"
    furnish(directory)
    (directory / "left-behind").touch()
    furnish(directory)
    assert not (directory / "left-behind").exists()
    assert mounts_below(layout.data) == [directory]


@needs_mounts
def test_mounts_in_use_are_let_go_of(layout: Layout) -> None:
    directory = layout.computers / "fin-01"
    furnish(directory)
    with subprocess.Popen(("sleep", "60"), cwd=directory) as visitor:
        unmount_below(layout.data)
        assert mounts_below(layout.data) == []
        visitor.kill()


@needs_mounts
def test_reset_lets_go_of_the_mounts_first(layout: Layout) -> None:
    furnish(layout.computers / "fin-01")
    reset(layout)
    assert mounts_below(layout.data) == []
    assert not layout.data.exists()


def test_nothing_outside_the_data_directory_is_ever_guarded(
    children: Children, layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = tmp_path / "home"
    agents = Agents(children, layout, "http://localhost:9", {})
    assert not agents.is_enrolled(LiveComputer("fin-01", outside, "key"))
    assert "fin-01 is left out" in capsys.readouterr().err
    assert not outside.exists()
    assert children.running == []
