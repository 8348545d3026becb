r"""Paths made general. What changes from version to version, from user to user or at random becomes a wildcard:
`c:\users\jdoe\appdata\local\acme\app-1.2.3\acme.exe` lies under `%LOCALAPPDATA%\acme\app-*\*`.

Patterns are made of paths that were seen; people's patterns never come here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from policies.engine.normal_form import normal_path
from policies.engine.regexes import literal

_GUID = re.compile(r"\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?")
_VERSION = re.compile(r"(?<![0-9a-z])v?[0-9]+(?:[._][0-9]+)+(?:-(?:alpha|beta|rc|dev|build)[.0-9]*)?(?![0-9])")
_MIXED = re.compile(r"(?<![0-9a-f])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}(?![0-9a-f])")
_LONG_NUMBER = re.compile(r"[0-9]{5,}")
_NUMBER = re.compile(r"[0-9]+")
_STARS = re.compile(r"\*{2,}")
_RUNS = re.compile(rf"(?P<guid>{_GUID.pattern})|(?P<mixed>{_MIXED.pattern})|(?P<number>[0-9]{{3,}})")
_EXTENSION = re.compile(r"\.[a-z0-9]{1,5}$")

# Folders that hold the programs of many vendors: one more name is needed behind them before a folder is trusted.
_CONTAINERS = frozenset(
    {"common files", "windowsapps", "programs", "microsoft", "packages", "package cache", "temp", "downloads",
     "desktop", "documents", "system32", "syswow64", "bin", "sbin", "lib", "lib64", "libexec", "share", "local",
     "library"}
)  # fmt: skip
_ROOTS: dict[str, tuple[tuple[tuple[str, ...], str, int], ...]] = {
    "windows": (
        (("c:", "users", "*", "appdata", "local", "temp"), "%TEMP%", 1),
        (("c:", "users", "*", "appdata", "local"), "%LOCALAPPDATA%", 1),
        (("c:", "users", "*", "appdata", "roaming"), "%APPDATA%", 1),
        (("c:", "users", "public"), "%PUBLIC%", 1),
        (("c:", "users", "*"), "%USERPROFILE%", 2),
        (("c:", "program files"), "c:\\program files", 1),
        (("c:", "program files (x86)"), "c:\\program files (x86)", 1),
        (("c:", "programdata"), "c:\\programdata", 1),
        (("c:", "windows"), "c:\\windows", 2),
    ),
    "macos": (
        (("", "Users", "*"), "/Users/*", 2),
        (("", "Applications"), "/Applications", 1),
        (("", "opt"), "/opt", 1),
    ),
    "linux": ((("", "home", "*"), "/home/*", 1), (("", "opt"), "/opt", 1), (("", "usr"), "/usr", 1)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies: `head` as a pattern, the folders behind it and the name as they were seen, in normal form.

    `least`: how many folders that hold still a pattern for a whole folder needs behind the head.
    """

    head: str
    folders: tuple[str, ...]
    name: str
    least: int
    separator: str


def general(text: str) -> str:
    """A folder's or program's name with versions, GUIDs and random runs as `*`."""
    for pattern in (_GUID, _VERSION, _MIXED, _LONG_NUMBER):
        text = pattern.sub("*", text)
    text = "*" if text.isdigit() else text
    return _STARS.sub("*", text)


def general_name(name: str) -> str:
    """The same for a file's name; its extension stays."""
    stem, extension = _parts(name)
    return general(stem) + extension


def looser_name(name: str) -> str:
    """A file's name with every number as `*`."""
    stem, extension = _parts(name)
    return _STARS.sub("*", _NUMBER.sub("*", general(stem))) + extension


def _parts(name: str) -> tuple[str, str]:
    found = _EXTENSION.search(name)
    return (name[: found.start()], found[0]) if found and found.start() else (name, "")


def place(path: str, os: str) -> Place | None:
    """The place of a file; None when its path is no whole path, or holds characters that patterns use."""
    normal = normal_path(path, os)
    separator = "\\" if os == "windows" else "/"
    if any(char in normal for char in "*?%") or '"' in normal:
        return None
    parts = normal.split(separator)
    if os == "windows" and normal.startswith("\\\\"):
        return _placed("\\".join(parts[:4]), parts[4:], 1, separator) if len(parts) > 4 else None
    if len(parts) < 2 or not (parts[0] == "" or (os == "windows" and len(parts[0]) == 2)):
        return None
    for root, head, least in _ROOTS.get(os, ()):
        if len(parts) > len(root) and all(wanted in ("*", got) for wanted, got in zip(root, parts, strict=False)):
            return _placed(head, parts[len(root) :], least, separator)
    return _placed(parts[0], parts[1:], 1 if os == "windows" else 2, separator)


def _placed(head: str, rest: list[str], least: int, separator: str) -> Place:
    *folders, name = rest
    containers = 0
    for folder in folders:
        if folder.lower() not in _CONTAINERS:
            break
        containers += 1
    return Place(head, tuple(folders), name, least + containers, separator)


def folder_patterns(where: Place) -> Iterator[str]:
    """Whole folders that hold the file, the deepest first; none that holds the programs of many vendors."""
    for depth in range(len(where.folders), 0, -1):
        folders = [general(folder) for folder in where.folders[:depth]]
        if sum("*" not in folder for folder in folders) < where.least:
            return
        yield where.separator.join((where.head, *folders, "*"))


def file_patterns(where: Place) -> Iterator[str]:
    """The file itself, its name general, then looser. Too little of a name is none."""
    folders = [general(folder) for folder in where.folders]
    is_named = sum("*" not in folder for folder in folders) >= where.least
    for name in dict.fromkeys((general_name(where.name), looser_name(where.name))):
        letters = sum(char.isalpha() for char in _parts(name)[0])
        if letters >= 3 or (is_named and _parts(name)[1]):
            yield where.separator.join((where.head, *folders, name))


def script_pattern(where: Place, os: str) -> str:
    """An anchored `regex:` for the file, saying how many characters of its name change and of which kind; empty when
    none does. For a name whose changing part keeps its length, as those of scripts that tools make."""
    name = "".join(_script_pieces(where.name))
    if name == literal(where.name):
        return ""
    any_name = r"[^\\]+" if os == "windows" else "[^/]+"
    head = _HEADS.get(where.head, where.head)
    folders = (_regex_of(general(folder), any_name) for folder in (*head.split(where.separator), *where.folders))
    return "regex:" + literal(where.separator).join((*folders, name))


_HEADS = {
    "%TEMP%": r"c:\users\*\appdata\local\temp",
    "%LOCALAPPDATA%": r"c:\users\*\appdata\local",
    "%APPDATA%": r"c:\users\*\appdata\roaming",
    "%PUBLIC%": r"c:\users\public",
    "%USERPROFILE%": r"c:\users\*",
}


def _regex_of(folder: str, any_name: str) -> str:
    return any_name.join(map(literal, folder.split("*")))


def _script_pieces(name: str) -> Iterator[str]:
    position = 0
    for found in _RUNS.finditer(name):
        yield literal(name[position : found.start()])
        digits = "[0-9]" if found.lastgroup == "number" else "[0-9a-f]"
        yield _quoted_guid(found[0]) if found.lastgroup == "guid" else f"{digits}{{{len(found[0])}}}"
        position = found.end()
    yield literal(name[position:])


def _quoted_guid(text: str) -> str:
    inner = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    return rf"\{{{inner}\}}" if text.startswith("{") else inner


def general_program(path: str, os: str) -> str:
    """A launching or writing program, whoever's profile it lies in whatever its version; empty when it has no place."""
    where = place(path, os)
    if where is None:
        return ""
    return where.separator.join((where.head, *map(general, where.folders), general_name(where.name)))
