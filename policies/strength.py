# ruff: noqa: S108  # folders are named here, nothing is written to them
"""How hard a file rule is to slip past, and what would make it harder. Pure: a rule in, a judgement out.

A hash names one file. A signer with a path names a program and outlives its updates. Without either, a rule is as good
as the folder it trusts and the program that must have written the file there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from policies.engine.pattern_error import PatternError
from policies.engine.patterns import ABSENT, REGEX_PREFIX, UndefinedVariable, is_regex, is_wildcard, normal_pattern

Place = Literal["protected", "writable", "open", "anywhere"]

LABELS = ("Says nothing", "Very weak", "Weak", "Fair", "Strong", "Very strong")
_MOST_WITHOUT_IDENTITY = 4  # neither hash nor signer: a copied name is enough

_PROTECTED = {
    "windows": ("c:\\program files\\", "c:\\program files (x86)\\", "c:\\windows\\"),
    "macos": ("/system/", "/library/", "/applications/", "/usr/", "/bin/", "/sbin/"),
    "linux": ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/etc/"),
}
_WRITABLE = {
    "windows": ("c:\\users\\", "c:\\programdata\\", "c:\\temp\\", "c:\\windows\\temp\\", "c:\\windows\\tasks\\",
                "c:\\windows\\tracing\\", "c:\\windows\\system32\\spool\\drivers\\color\\", "c:\\$recycle.bin\\"),
    "macos": ("/users/", "/tmp/", "/private/tmp/", "/var/tmp/", "/private/var/", "/usr/local/", "/volumes/"),
    "linux": ("/home/", "/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/media/", "/mnt/"),
}  # fmt: skip
_WRITABLE_ANYWHERE = ("\\appdata\\", "\\temp\\", "\\downloads\\", "\\desktop\\")
_REGEX_META = frozenset(".^$*+?()[]{}|")


class RuleText(Protocol):
    """The boxes of a rule, drafted or saved."""

    @property
    def hash(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def process(self) -> str: ...
    @property
    def created_by(self) -> str: ...
    @property
    def certificate(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Strength:
    """`score` of 5. `reasons`: why it is that; `better`: what to add or write instead, most useful first."""

    score: int
    label: str
    reasons: tuple[str, ...] = ()
    better: tuple[str, ...] = ()


def strength(rule: RuleText, os: str) -> Strength:
    """The strength of one rule. A rule that cannot be saved is judged by what can be read of it."""
    if rule.hash.strip():
        return Strength(
            5,
            "Exact",
            ("The hash names one file: nothing else can match.", "An update changes the file, and the rule stops."),
            ("For a program that updates itself, signer and path last longer.",),
        )
    if rule.certificate.strip():
        return _signed(rule, os)
    if rule.path.strip() or _named(rule.process) or _named(rule.created_by):
        return _unsigned(rule, os)
    return Strength(
        0, LABELS[0], ("No condition names a file, a signer or a program.",), ("Fill in one of the boxes.",)
    )


def weakest(strengths: Iterable[Strength]) -> Strength | None:
    """What an application is worth: a file needs only one rule, so the weakest counts. None without rules."""
    return min(strengths, key=lambda one: one.score, default=None)


def place_of(pattern: str, os: str) -> Place:
    """Who can put a file where a path pattern looks: only administrators (`protected`), anyone (`writable`), most
    likely anyone (`open`), or the pattern names no folder at all (`anywhere`).
    """
    prefix, tail = _literal_prefix(pattern, os)
    prefix = prefix.lower()
    if any(part in f"{prefix}{tail}".lower() for part in _WRITABLE_ANYWHERE if os == "windows"):
        return "writable"
    if _starts(prefix, _WRITABLE.get(os, ())):
        return "writable"
    if _starts(prefix, _PROTECTED.get(os, ())):
        return "protected"
    separators = "\\" if os == "windows" else "/"
    return "open" if prefix.count(separators) >= (1 if os == "windows" else 2) and len(prefix) > 3 else "anywhere"


def _starts(prefix: str, folders: tuple[str, ...]) -> bool:
    return any(prefix.startswith(folder) for folder in folders)


def _named(pattern: str) -> bool:
    """Whether a process or created-by box names a program; `[]` names none."""
    return bool(pattern.strip()) and pattern.strip().strip('"') != ABSENT


def _signed(rule: RuleText, os: str) -> Strength:
    reasons = ["Only the signer can make a file that matches."]
    has_path = bool(rule.path.strip()) and place_of(rule.path, os) != "anywhere"
    made_by = _named(rule.created_by)
    better_path = "Add the folder the program is installed in."
    better_made_by = "Add Created By, if its updater writes the files."
    if has_path:
        reasons.append("Signer and path age well: they match after an update too.")
    if made_by:
        reasons.append("Only files that the named program wrote.")
    if has_path or made_by:
        if has_path and made_by:
            return Strength(5, LABELS[5], tuple(reasons))
        return Strength(4, LABELS[4], tuple(reasons), (better_path if made_by else better_made_by,))
    if rule.path.strip():
        reasons.append("The path names no folder: it narrows little.")
        return Strength(3, LABELS[3], tuple(reasons), (better_path,))
    if _named(rule.process):
        reasons.append("Only what the named program launches.")
        return Strength(3, LABELS[3], tuple(reasons), (better_path,))
    reasons.append("The signer alone: everything this vendor signs, its remote tools and old versions too.")
    return Strength(2, LABELS[2], tuple(reasons), (better_path,))


def _unsigned(rule: RuleText, os: str) -> Strength:
    points, reasons, better = _path_points(rule.path, os) if rule.path.strip() else (0, [], [])
    if _named(rule.created_by):
        safe = place_of(rule.created_by, os) == "protected"
        points += 2 if safe else 1
        reasons.append("Only files that the named program wrote: one that somebody swaps in does not match.")
        if not safe:
            better.append(
                "Name the program of Created By with its whole path, in a folder that only administrators write to."
            )
    else:
        better.append("Add Created By: the program that writes this file.")
    if _named(rule.process):
        points += 1
        reasons.append("Only when the named program launches it.")
    if not rule.path.strip():
        reasons.append("No path, hash or signer: whatever that program brings is taken.")
        better.insert(0, "Add the path.")
    better.append("If the file is signed, add its signer.")
    score = max(1, min(points, _MOST_WITHOUT_IDENTITY))
    return Strength(score, LABELS[score], tuple(reasons), tuple(better))


def _path_points(path: str, os: str) -> tuple[int, list[str], list[str]]:
    """(points, reasons, what would be better) of a path that stands without hash and signer."""
    place = place_of(path, os)
    if place == "anywhere":
        return 0, ["The path names no folder: such a file may lie anywhere."], ["Write the folder in front."]
    reasons: list[str] = []
    better: list[str] = []
    if is_regex(path.strip().strip('"')):
        narrow = not any(wide in path for wide in (".*", ".+"))
        reasons.append(
            "The regex fits the whole path and says which characters change."
            if narrow
            else "The regex fits the whole path, but .* takes any run of characters."
        )
        if not narrow:
            better.append("Say in the regex how many characters change and of which kind, as in [0-9a-f]{10}.")
    if place == "protected":
        reasons.append("Only administrators write to this folder.")
        return 2, reasons, better
    reasons.append(
        "In a folder users can write to: anyone could place a file here."
        if place == "writable"
        else "Outside the folders of the system, users can mostly write: anyone could place a file here."
    )
    return 1, reasons, better


def _literal_prefix(pattern: str, os: str) -> tuple[str, str]:
    """(the text before the first part that varies, the literal text after it), variables expanded."""
    try:
        normal = normal_pattern(pattern, os)
    except (PatternError, UndefinedVariable):
        normal = pattern.strip().strip('"').lower()
    if is_regex(normal):
        return _regex_prefix(normal[len(REGEX_PREFIX) :]), ""
    if not is_wildcard(normal):
        return normal, ""
    first = min(at for at in (normal.find("*"), normal.find("?")) if at >= 0)
    return normal[:first], normal[first:]


def _regex_prefix(source: str) -> str:
    """The literal characters with which every match begins; empty when the expression has alternatives."""
    if "|" in source or "(?" in source:
        return ""
    found: list[str] = []
    position = 0
    while position < len(source):
        char = source[position]
        if char == "\\" and position + 1 < len(source) and not source[position + 1].isalnum():
            found.append(source[position + 1])
            position += 2
            continue
        if char in _REGEX_META or char == "\\":
            if char in "*?{" and found:
                found.pop()
            break
        found.append(char)
        position += 1
    return "".join(found)
