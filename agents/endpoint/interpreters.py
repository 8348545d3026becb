"""Interpreters: which running programs turn a file they merely open into code, and which of their opens are
that.

A program is an interpreter by the name of its file, or because it is byte for byte one of the interpreters of this
computer under another name. Of what an interpreter opens, a script is: the file its command line names as the script;
a file with one of its kinds of ending; for shells also any other script and what starts with `#!`, because they open
files for the programs they start; for the dynamic loader any program or library. Everything else is data.
"""

from __future__ import annotations

import os
import re
import stat as statmode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents.endpoint.files import look_at
from agents.endpoint.kernel import process

_DIRECTORIES = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/lib64", "/usr/lib64", "/lib")
_MAX_INTERPRETER_BYTES = 64 << 20
_MAX_MEMO = 4_096

Reading = Literal["script", "part", ""]


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of interpreter: names of its program, endings of its scripts, options that carry code
    themselves.
    """

    name: str
    programs: re.Pattern[str]
    endings: tuple[str, ...]
    code_options: frozenset[str]


def _family(name: str, programs: re.Pattern[str], endings: str, code_options: str) -> Family:
    return Family(name, programs, tuple(endings.split()), frozenset(code_options))


SHELL, LOADER = "shell", "loader"
FAMILIES = (
    _family(
        SHELL, re.compile(r"(ba|da|z|k|mk|a|fi|c|tc)?sh|busybox|rbash|ksh93"), ".sh .bash .zsh .ksh .dash .fish", "c"
    ),
    _family("python", re.compile(r"(python|pypy)[\d.]*"), ".py .pyc .pyw .pyz .pth", "cm"),
    _family("perl", re.compile(r"perl[\d.]*"), ".pl .pm", "eE"),
    _family("ruby", re.compile(r"[jm]?ruby[\d.]*"), ".rb", "e"),
    _family("node", re.compile(r"node(js)?|deno|bun"), ".js .mjs .cjs .ts", "ep"),
    _family("php", re.compile(r"php[\d.]*(-cgi|-fpm)?"), ".php .phar .inc", "r"),
    _family("lua", re.compile(r"lua(jit)?[\d.-]*"), ".lua .luac", "e"),
    _family("tcl", re.compile(r"(tclsh|wish|expect)[\d.]*"), ".tcl .exp", "c"),
    _family("awk", re.compile(r"[gmn]?awk|original-awk"), ".awk", ""),
    _family("java", re.compile(r"java"), ".jar .class .war", ""),
    _family("powershell", re.compile(r"pwsh"), ".ps1 .psm1 .psd1", "c"),
    _family(LOADER, re.compile(r"ld-linux[\w.-]*|ld-musl[\w.-]*|ld(64)?\.so[\d.]*|ld-[\d.]+\.so"), "", ""),
)


_ALL_ENDINGS = tuple(ending for family in FAMILIES for ending in family.endings)


def family_by_name(path: str) -> Family | None:
    """The family whose programs are called so."""
    name = path.removesuffix(" (deleted)").rpartition("/")[2]
    return next((family for family in FAMILIES if family.programs.fullmatch(name)), None)


@dataclass(frozen=True, slots=True)
class Survey:
    """The interpreters of this computer by content, so that a renamed copy is known. Made before anything is
    guarded.
    """

    by_hash: dict[str, Family]
    sizes: frozenset[int]

    @staticmethod
    def make() -> Survey:
        """Hash every interpreter in the usual directories: some tens of megabytes."""
        by_hash: dict[str, Family] = {}
        sizes = set()
        for path in {real for real in map(_real, _candidates()) if real}:
            family = family_by_name(path)
            size = Path(path).stat().st_size
            if family is None or size > _MAX_INTERPRETER_BYTES:
                continue
            by_hash[hash_file(path)] = family
            sizes.add(size)
        return Survey(by_hash, frozenset(sizes))


class Interpreters:
    """Tells the family of a running program. Memoised by the program's inode and stamps."""

    def __init__(
        self, survey: Survey, is_guarded: Callable[[int], bool], known_hash: Callable[[os.stat_result], str]
    ) -> None:
        self._survey = survey
        self._is_guarded = is_guarded
        self._known_hash = known_hash
        self._memo: dict[tuple[int, int, int, int], Family | None] = {}

    def family_of(self, tid: int) -> Family | None:
        """The family of the program a thread runs; None for every other program."""
        stat = process.executable_stat(tid)
        if stat is None:
            return None
        key = (stat.st_dev, stat.st_ino, stat.st_ctime_ns, stat.st_size)
        try:
            return self._memo[key]
        except KeyError:
            pass
        if len(self._memo) >= _MAX_MEMO:
            self._memo.clear()
        family = family_by_name(process.executable(tid)) or self._by_content(tid, stat)
        self._memo[key] = family
        return family

    def family_of_content(self, path: str, sha256: str) -> Family | None:
        """The family of a program known by path and content. For any thread: it remembers nothing."""
        return family_by_name(path) or self._survey.by_hash.get(sha256)

    def is_loader(self, sha256: str) -> bool:
        """Whether this content is this computer's dynamic loader: harmless by itself, what it opens is
        judged.
        """
        family = self._survey.by_hash.get(sha256)
        return family is not None and family.name == LOADER

    def _by_content(self, tid: int, stat: os.stat_result) -> Family | None:
        if stat.st_size not in self._survey.sizes:
            return None
        if self._is_guarded(stat.st_dev):
            # Opening it would ask ourselves and wait for ever; it was hashed when it was started.
            return self._survey.by_hash.get(self._known_hash(stat))
        try:
            return self._survey.by_hash.get(hash_file(f"/proc/{tid}/exe"))
        except OSError:
            return None


def reads_as(family: Family, tid: int, path: str, stat: os.stat_result, fd: int) -> Reading:
    """What this file, opened for reading by such an interpreter, is to it.

    "script": what its command line names; "part": other code, like a module or a sourced file; "": data.
    """
    if family.name == LOADER and _head(fd) != b"\x7fELF":
        return ""
    if _is_operand(family, tid, stat):
        return "script"
    if family.name == LOADER:
        return "part"
    if family.name == SHELL:
        # A shell opens for others as well: `python < x.py` is an open by the shell.
        return "part" if path.endswith(_ALL_ENDINGS) or _head(fd)[:2] == b"#!" else ""
    return "part" if path.endswith(family.endings) else ""


def may_be_run(fd: int, stat: os.stat_result) -> bool:
    """Whether a file just written is a program, a library or a script, as far as can be told without running it."""
    if not statmode.S_ISREG(stat.st_mode):
        return False
    if stat.st_mode & 0o111 or _head(fd).startswith((b"#!", b"\x7fELF")):
        return True
    try:
        return os.readlink(f"/proc/self/fd/{fd}").endswith(_ALL_ENDINGS)  # noqa: PTH115
    except OSError:
        return False


def _head(fd: int) -> bytes:
    """The first four bytes; none when they cannot be read."""
    try:
        return os.pread(fd, 4, 0)
    except OSError:
        return b""


def operand_of(family: Family, tid: int) -> tuple[str, os.stat_result] | None:
    """The first existing file among a running interpreter's arguments, as an argument and as a file; None without one,
    or when the code is in the arguments themselves.
    """
    for argument in process.arguments(tid)[1:17]:
        if argument.startswith("-") and argument != "-":
            if not argument.startswith("--") and family.code_options & set(argument[1:]):
                return None
            continue
        found = _stat_as(tid, argument)
        if found is not None and not statmode.S_ISDIR(found.st_mode):
            return argument, found
    return None


def _is_operand(family: Family, tid: int, stat: os.stat_result) -> bool:
    found = operand_of(family, tid)
    return found is not None and (found[1].st_dev, found[1].st_ino) == (stat.st_dev, stat.st_ino)


def as_seen_by(tid: int, argument: str) -> str:
    """Where a file that a process names is found from here."""
    return (f"/proc/{tid}/root" if argument.startswith("/") else f"/proc/{tid}/cwd/") + argument


def _stat_as(tid: int, argument: str) -> os.stat_result | None:
    """The file an argument means to that process."""
    try:
        return os.stat(as_seen_by(tid, argument))  # noqa: PTH116
    except (OSError, ValueError):
        return None


def hash_file(path: str) -> str:
    """SHA-256 of a file by name."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return look_at(fd, os.fstat(fd).st_size)[0]
    finally:
        os.close(fd)


def _candidates() -> list[Path]:
    found = []
    for directory in map(Path, _DIRECTORIES):
        if directory.is_dir():
            found += [path for path in directory.iterdir() if family_by_name(path.name)]
    return found


def _real(path: Path) -> str:
    try:
        real = path.resolve(strict=True)
        return str(real) if real.is_file() else ""
    except (OSError, RuntimeError):
        return ""
