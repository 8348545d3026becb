"""Lock, secrets, logs, the demo file, mounts and reset: what the supervisor keeps on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal.supervisor import logs
from portal.supervisor.demo_file import DemoFile
from portal.supervisor.errors import StartRefused
from portal.supervisor.layout import Layout
from portal.supervisor.mounts import mounts_below, unescape
from portal.supervisor.reset import reset
from portal.supervisor.run_lock import run_lock
from portal.supervisor.secret_files import secret
from portal.supervisor.service_run import write_environment_script


def test_a_secret_is_made_once_and_only_its_owner_reads_it(layout: Layout) -> None:
    first = secret(layout.secrets, "django")
    assert len(first) >= 48
    assert secret(layout.secrets, "django") == first
    assert secret(layout.secrets, "other") != first
    assert (layout.secrets / "django").stat().st_mode & 0o777 == 0o600
    assert layout.secrets.stat().st_mode & 0o777 == 0o700


def test_a_secret_that_was_cut_to_nothing_is_made_again(layout: Layout) -> None:
    (layout.secrets / "django").touch()
    assert len(secret(layout.secrets, "django")) >= 48


def test_a_secret_made_readable_by_hand_is_closed_again(layout: Layout) -> None:
    secret(layout.secrets, "django")
    (layout.secrets / "django").chmod(0o644)
    secret(layout.secrets, "django")
    assert (layout.secrets / "django").stat().st_mode & 0o777 == 0o600


def test_the_lock_names_its_holder_and_is_free_after_the_block(layout: Layout) -> None:
    holder = f"process {os.getpid()}"
    with run_lock(layout.lock), pytest.raises(StartRefused, match=holder), run_lock(layout.lock):
        pass
    with run_lock(layout.lock):
        pass


def test_the_lock_of_a_killed_process_is_free(layout: Layout) -> None:
    source = (
        "import os, signal; from pathlib import Path; from portal.supervisor.run_lock import run_lock\n"
        f"with run_lock(Path({str(layout.lock)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run((sys.executable, "-c", source)).returncode == -9
    with run_lock(layout.lock):
        pass


def test_a_start_after_a_kill_waits_until_the_guard_has_ended_what_was_left(layout: Layout) -> None:
    source = (
        "import os, signal, subprocess; from pathlib import Path; from portal.supervisor.run_lock import run_lock\n"
        f"with run_lock(Path({str(layout.lock)!r})) as lock:\n"
        "    subprocess.Popen(('sleep', '1.5'), pass_fds=(lock,)); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run((sys.executable, "-c", source))
    before = time.monotonic()
    with run_lock(layout.lock):
        assert time.monotonic() - before > 0.5


def test_a_data_directory_that_cannot_be_made_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartRefused, match="set DATA_DIR to another"):
        Layout.at(tmp_path / "file" / "data").make_directories()


def test_a_log_that_grew_too_long_is_kept_once_and_begun_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LONGEST_LOG_BYTES", 100)
    path = layout.logs / "web.log"
    with path.open("ab") as writer:
        writer.write(b"x" * 200)
        writer.flush()
        logs.limit(path)
        writer.write(b"new\n")
    assert path.read_bytes() == b"new\n"
    assert path.with_suffix(".log.1").stat().st_size == 200


def test_the_last_lines_of_a_log_are_few(layout: Layout) -> None:
    path = layout.logs / "web.log"
    path.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert logs.last_lines(path, 2) == "  | line 9998\n  | line 9999"


def test_the_demo_file_is_hidden_while_the_portal_starts_and_tells_the_address_of_this_run(
    layout: Layout,
) -> None:
    demo = DemoFile.of(layout)
    person = {
        "name": "Ann",
        "email": "ann@x",
        "password": "p",
        "role": "owner",
        "organization": "MSP",
        "api_token": "t",
    }
    layout.demo.write_text(json.dumps({"url": "http://localhost:1", "people": [person], "organizations": []}))
    demo.park()
    assert not layout.demo.exists()
    demo.publish("http://localhost:2")
    shown = json.loads(layout.demo.read_text())
    assert shown["url"] == "http://localhost:2"
    assert shown["people"] == [person]
    assert layout.demo.stat().st_mode & 0o777 == 0o600
    assert [one.email for one in demo.people()] == ["ann@x"]


def test_a_start_without_a_demo_has_nobody_to_show(layout: Layout) -> None:
    demo = DemoFile.of(layout)
    demo.publish("http://localhost:2")
    assert demo.people() == []
    assert demo.live_computers() == []
    assert not layout.demo.exists()


def test_the_environment_script_quotes_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "env.sh"
    names = ("DATA_DIR", "SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
    write_environment_script(path, {**dict.fromkeys(names, "x"), "SECRET_KEY": "it's $HOME"})
    assert path.stat().st_mode & 0o777 == 0o600
    told = subprocess.run(("sh", "-c", f'. {path}; printf %s "$SECRET_KEY"'), capture_output=True, text=True)
    assert told.stdout == "it's $HOME"


def test_the_mount_table_s_octal_blanks_are_understood() -> None:
    assert unescape(r"/a\040b\134c") == r"/a b\c"
    assert mounts_below(Path("/no/such/place")) == []


def test_reset_removes_everything_of_this_data_directory(layout: Layout) -> None:
    layout.cluster.mkdir(parents=True)
    inner = Layout.at(layout.data / "test")
    inner.make_directories()
    inner.lock.touch()
    inner.cluster.mkdir(parents=True)
    reset(layout)
    for path in (layout.data, layout.cluster, inner.cluster):
        assert not path.exists()


def test_reset_after_tests_alone_removes_what_the_tests_left(tmp_path: Path) -> None:
    outer, inner = Layout.at(tmp_path), Layout.at(tmp_path / "test")
    inner.make_directories()
    inner.lock.touch()
    (tmp_path / "letter.txt").touch()
    assert inner.data in reset(outer)
    assert not inner.data.exists()
    assert (tmp_path / "letter.txt").exists()


def test_reset_refuses_a_directory_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("keep me")
    with pytest.raises(StartRefused, match="not made by Portcullis"):
        reset(Layout.at(tmp_path))
    assert (tmp_path / "letter.txt").exists()


def test_reset_refuses_while_it_runs(layout: Layout) -> None:
    with run_lock(layout.lock), pytest.raises(StartRefused, match="already runs"):
        reset(layout)
    assert layout.data.exists()


def test_a_reader_gives_whole_new_lines_and_notices_a_cut(layout: Layout) -> None:
    path = layout.logs / "web.log"
    path.write_text("before\n")
    reader = logs.Reader.from_end(path)
    with path.open("a") as writer:
        writer.write("one\ntw")
    assert reader.new_lines() == ["one"]
    with path.open("a") as writer:
        writer.write("o\n")
    assert reader.new_lines() == ["two"]
    path.write_text("new\n")
    assert reader.new_lines() == ["new"]
    assert reader.new_lines() == []
