"""Patterns of path, process and created_by: from the text a person typed to something that matches, exactly.

A *normal pattern* is a string: a literal in normal form, a wildcard of `*` and `?`, `regex:` and an RE2
expression, or `[]` (the value must be empty). Python's `re` never sees text that a person wrote.
"""

import re
from collections.abc import Callable, Mapping

from policies.engine import regexes
from policies.engine.normal_form import normal_path
from policies.engine.pattern_error import PatternError
from policies.engine.variables import PER_USER, STANDARD_MACHINE

Matcher = Callable[[str], bool]

REGEX_PREFIX = "regex:"
ABSENT = "[]"
MAX_PATTERN_CHARACTERS = 2_048

_VARIABLE = re.compile(r"%([A-Za-z_][A-Za-z0-9_]*(?:\([A-Za-z0-9]+\))?)%")
_WILDCARD = re.compile(r"[*?]")
_STARS = re.compile(r"\*{2,}")


class UndefinedVariable(Exception):
    """The pattern names a machine variable that this computer does not have: it can match nothing here."""


def unquoted(text: str) -> str:
    """The pattern without outer spaces and one pair of quotes."""
    inner = text.strip()
    return inner[1:-1] if len(inner) >= 2 and inner[0] == inner[-1] == '"' else inner


def start_of_pattern(text: str) -> int:
    """Where the unquoted pattern starts in the typed text."""
    start = len(text) - len(text.lstrip())
    return start + (len(text.strip()) >= 2 and text.strip()[0] == text.strip()[-1] == '"')


def is_regex(pattern: str) -> bool:
    return pattern[: len(REGEX_PREFIX)].lower() == REGEX_PREFIX


def is_wildcard(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def normal_pattern(text: str, os: str, machine: Mapping[str, str] = STANDARD_MACHINE) -> str:
    """The normal pattern of typed text, variables expanded.

    Raises PatternError for an unknown variable, UndefinedVariable for one that `machine` does not define.
    Does not compile: a regular expression may still be refused by `matcher`.
    """
    pattern = unquoted(text)
    if pattern == ABSENT:
        return ABSENT
    if is_regex(pattern):
        return REGEX_PREFIX + pattern[len(REGEX_PREFIX) :]
    if "%" in pattern:
        pattern = _expanded(pattern, start_of_pattern(text), os, machine)
    pattern = normal_path(pattern, os)
    return _STARS.sub("*", pattern) if "**" in pattern else pattern


def _expanded(pattern: str, start: int, os: str, machine: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1].lower()
        if os == "windows":
            if name in PER_USER:
                return PER_USER[name]
            if name in STANDARD_MACHINE:
                return _machine_value(name, machine)
        raise PatternError("unknown_variable", _unknown_variable(found[0], os), start + found.start())

    return _VARIABLE.sub(value, pattern)


def _machine_value(name: str, machine: Mapping[str, str]) -> str:
    text = machine.get(name, "")
    if not text or "%" in text or is_wildcard(text):
        raise UndefinedVariable(name)
    return text.rstrip("\\/")


def _unknown_variable(variable: str, os: str) -> str:
    if os != "windows":
        return f"{variable} is a Windows variable; write the whole path."
    known = ", ".join(f"%{name.upper()}%" for name in sorted({*STANDARD_MACHINE, *PER_USER}))
    return f"{variable} is not a variable that computers know. Write the folder itself, or one of {known}."


def names_stream(pattern: str) -> bool:
    """Whether a Windows pattern names an alternate data stream: only such a one matches a path that has one.

    A stream stands in the last component. A regular expression sees the whole text and says so itself.
    """
    if is_regex(pattern):
        return True
    _, separator, name = pattern.rpartition("\\")
    if not separator and name[1:2] == ":" and (name[0].isalpha() or name[0] == "?"):
        name = name[2:]
    return ":" in name


def fragments(pattern: str, os: str) -> list[str]:
    """Literal runs that every matching text must contain, at least two characters long; may be empty."""
    if is_regex(pattern):
        return regexes.mandatory_literals(pattern[len(REGEX_PREFIX) :], ignore_case=os == "windows")
    return [run for run in _WILDCARD.split(pattern) if len(run) > 1]


def matcher(pattern: str, os: str) -> Matcher:
    """An exact, linear-time test of a whole text by a normal pattern, not `[]`. Raises PatternError."""
    if is_regex(pattern):
        return regexes.compiled(pattern[len(REGEX_PREFIX) :], ignore_case=os == "windows")
    if not is_wildcard(pattern):
        return pattern.__eq__
    if "?" in pattern:
        return regexes.compiled_wildcard(pattern, separator="\\" if os == "windows" else "/")
    return _star_matcher(pattern)


def _star_matcher(pattern: str) -> Matcher:
    """Leftmost placement of each run between two stars is enough: a later one never leaves more room."""
    head, *middle, tail = pattern.split("*")
    runs = [run for run in middle if run]
    shortest = len(head) + len(tail)

    def matches(text: str) -> bool:
        if len(text) < shortest or not text.startswith(head) or not text.endswith(tail):
            return False
        position, end = len(head), len(text) - len(tail)
        for run in runs:
            position = text.find(run, position, end)
            if position < 0:
                return False
            position += len(run)
        return True

    return matches
