"""How hard a file rule is to slip past, and what would make it harder. Pure: a rule in, a judgement out.

A hash names one file. A signer with a path names a program and outlives its updates. Without either, a rule is as good
as the folder it trusts and the program that must have written the file there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from policies.engine.folders import ground_of
from policies.engine.patterns import ABSENT, is_regex

LABELS = ("Says nothing", "Very weak", "Weak", "Fair", "Strong", "Very strong")
_MOST_WITHOUT_IDENTITY = 4  # neither hash nor signer: a copied name is enough


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


def _named(pattern: str) -> bool:
    """Whether a process or created-by box names a program; `[]` names none."""
    return bool(pattern.strip()) and pattern.strip().strip('"') != ABSENT


def _signed(rule: RuleText, os: str) -> Strength:
    reasons = ["Only the signer can make a file that matches."]
    has_path = bool(rule.path.strip()) and ground_of(rule.path, os) != "anywhere"
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
        safe = ground_of(rule.created_by, os) == "protected"
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
    ground = ground_of(path, os)
    if ground == "anywhere":
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
    if ground == "protected":
        reasons.append("Only administrators write to this folder.")
        return 2, reasons, better
    reasons.append(
        "In a folder users can write to: anyone could place a file here."
        if ground == "writable"
        else "Outside the folders of the system, users can mostly write: anyone could place a file here."
    )
    return 1, reasons, better
