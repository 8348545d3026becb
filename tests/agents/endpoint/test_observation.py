"""What a file is, who opens it, and which of it is code: without a kernel group."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.endpoint import interpreters
from agents.endpoint.files import FileCache, Found, key_of, look_at
from agents.endpoint.interpreters import Interpreters, Survey, family_by_name, reads_as
from agents.endpoint.kernel import process
from agents.endpoint.observation import ELSEWHERE, file_path, process_path
from agents.endpoint.users import Users

FOUND = Found("a" * 64, b"#!/b", "")


@contextmanager
def running(*command: str) -> Iterator[int]:
    """A process that waits for its standard input."""
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 5
        while process.arguments(started.pid) != list(command) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield started.pid
    finally:
        started.kill()
        started.wait()


def test_an_entry_is_valid_until_a_stamp_moves(tmp_path: Path) -> None:
    path, cache = tmp_path / "f", FileCache()
    path.write_bytes(b"one")
    cache.keep(path.stat(), FOUND)
    assert cache.known(path.stat()) is FOUND
    path.write_bytes(b"two")
    assert cache.known(path.stat()) is None


def test_an_entry_dies_with_a_writer_whose_stores_moved_no_stamp(tmp_path: Path) -> None:
    path, cache = tmp_path / "f", FileCache()
    path.write_bytes(b"one")
    stat = path.stat()
    cache.keep(stat, FOUND)
    before = cache.generation(key_of(stat))
    cache.writer_closes(key_of(stat))
    assert cache.known(stat) is None
    assert cache.generation(key_of(stat)) != before


def test_nothing_is_believed_while_somebody_may_write(tmp_path: Path) -> None:
    path, cache = tmp_path / "f", FileCache()
    path.write_bytes(b"one")
    stat = path.stat()
    key = key_of(stat)
    cache.writer_opens(key)
    cache.writer_opens(key)
    cache.keep(stat, FOUND)
    assert cache.known(stat) is None
    assert not cache.writer_closes(key)
    cache.keep(stat, FOUND)
    assert cache.known(stat) is None
    assert cache.writer_closes(key)
    cache.keep(stat, FOUND)
    assert cache.known(stat) is FOUND


def test_lost_events_empty_the_cache(tmp_path: Path) -> None:
    path, cache = tmp_path / "f", FileCache()
    path.write_bytes(b"one")
    cache.keep(path.stat(), FOUND)
    before = cache.generation(key_of(path.stat()))
    cache.clear()
    assert cache.known(path.stat()) is None
    assert cache.generation(key_of(path.stat())) != before


def test_a_look_hashes_everything_and_keeps_the_head(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(b"\x7fELF" + bytes(3 << 20))
    fd = os.open(path, os.O_RDONLY)
    digest, head = look_at(fd, path.stat().st_size)
    os.close(fd)
    assert head == b"\x7fELF"
    assert digest == interpreters.hash_file(str(path))


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/usr/bin/dash", "shell"),
        ("/bin/bash", "shell"),
        ("/usr/bin/python3.11", "python"),
        ("/opt/venv/bin/python", "python"),
        ("/usr/bin/perl5.36.0", "perl"),
        ("/usr/bin/node", "node"),
        ("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "loader"),
        ("/lib/ld-musl-x86_64.so.1", "loader"),
        ("/usr/bin/mawk", "awk"),
        ("/usr/bin/bash (deleted)", "shell"),
        ("/usr/bin/cat", None),
        ("/usr/bin/ssh", None),
        ("/usr/bin/pythonista", None),
        ("/home/sh/editor", None),
    ],
)
def test_interpreters_by_name(path: str, family: str | None) -> None:
    found = family_by_name(path)
    assert (found.name if found else None) == family


def test_a_renamed_copy_of_an_interpreter_is_known_by_content(tmp_path: Path) -> None:
    copy = tmp_path / "innocent"
    shutil.copy("/bin/dash", copy)
    judge = Interpreters(Survey.make(), lambda _: False, lambda _: "")
    with running(str(copy), "-c", "read x") as pid:
        found = judge.family_of(pid)
    assert found is not None
    assert found.name == "shell"
    with running("cat") as pid:
        assert judge.family_of(pid) is None


def test_on_a_guarded_file_system_the_copy_is_never_opened(tmp_path: Path) -> None:
    copy = tmp_path / "innocent"
    shutil.copy("/bin/dash", copy)
    digest = interpreters.hash_file(str(copy))
    with running(str(copy), "-c", "read x") as pid:
        blind = Interpreters(Survey.make(), lambda _: True, lambda _: "")
        knowing = Interpreters(Survey.make(), lambda _: True, lambda _: digest)
        assert blind.family_of(pid) is None
        assert knowing.family_of(pid) is not None


@pytest.mark.parametrize(
    ("command", "name", "content", "expected"),
    [
        ("sh {f}", "job", "read x", "script"),
        ("sh -e -u {f}", "job", "read x", "script"),
        ("bash -o pipefail {f}", "job", "read x", "script"),
        ("sh -c cat {f}", "job", "echo", ""),
        ("sh -c cat", "job.sh", "echo", "part"),
        ("sh -c cat", "job", "#!/bin/sh", "part"),
        ("sh -c cat", "other.py", "x = 1", "part"),
        ("sh -c cat", "data.csv", "1,2", ""),
        ("python {f}", "job", "input()", "script"),
        ("python -c input() {f}", "job", "x = 1", ""),
        ("python -c input()", "data.sh", "#!/bin/sh", ""),
        ("python -c input()", "part.py", "x = 1", "part"),
    ],
)
def test_what_of_an_interpreters_opens_is_code(
    tmp_path: Path, command: str, name: str, content: str, expected: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    words = [sys.executable if word == "python" else word.format(f=path) for word in command.split()]
    family = family_by_name(os.path.realpath(shutil.which(words[0]) or ""))
    assert family is not None
    fd = os.open(path, os.O_RDONLY)
    with running(*words) as pid:
        assert reads_as(family, pid, str(path), path.stat(), fd) == expected
    os.close(fd)


def test_paths_mean_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    fd = os.open(path, os.O_RDONLY)
    stat = os.fstat(fd)
    assert file_path(fd, stat) == str(path)
    path.rename(tmp_path / "renamed")
    assert file_path(fd, stat) == str(tmp_path / "renamed")
    other = tmp_path / "other"
    other.write_text("y")
    assert file_path(fd, other.stat()) == ELSEWHERE + str(tmp_path / "renamed")
    (tmp_path / "renamed").unlink()
    assert file_path(fd, os.fstat(fd)).endswith(" (deleted)")
    os.close(fd)


def test_bytes_that_are_no_text_become_visible(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/a\xffb"
    fd = os.open(raw, os.O_CREAT | os.O_RDONLY)
    assert file_path(fd, os.fstat(fd)).endswith("/a\\xffb")
    os.close(fd)


def test_who_runs_a_thread() -> None:
    me = os.getpid()
    assert process_path(me) == os.path.realpath(sys.executable)
    assert process.user_of(me) == os.geteuid()
    who = process.identity(me)
    assert who is not None
    assert (who.pid, who.parent) == (me, os.getppid())
    assert process.arguments(me)[0]


def test_a_thread_that_is_gone_leaves_everything_empty() -> None:
    gone = 2**22 + 1
    assert process.identity(gone) is None
    assert process_path(gone) == ""
    assert process.user_of(gone) == -1
    assert process.arguments(gone) == []
    assert process.syscall(gone) == (-1, [])
    assert process.opens_for_writing(gone) is True


def test_users_have_names_and_strangers_numbers() -> None:
    assert Users().name(0) == "root"
    assert Users().name(4_000_000_000) == "4000000000"
