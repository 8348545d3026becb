"""What a regular expression of a rule lets through that its writer did not mean. Reads the text; never runs it."""

import re
from collections.abc import Iterator

from policies.engine.lint.findings import Code, Severity
from policies.engine.regexes import mandatory_literals

# One piece of an expression: an escape, a class, or a character.
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_EXTENSION = re.compile(r"[A-Za-z0-9]{1,5}(?![A-Za-z0-9])")
_REPEAT = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_REPEATS = frozenset("*+?{")

Fault = tuple[Code, Severity, str, str]


def has_no_literal(source: str, os: str) -> bool:
    """Whether no run of three characters is certain: such an expression is tried on every file there is."""
    return not mandatory_literals(source, ignore_case=os == "windows")


def regex_faults(source: str, os: str) -> Iterator[Fault]:
    """(code, severity, what is wrong, remedy) of an expression that RE2 takes."""
    if has_no_literal(source, os):
        message = "the expression has no three characters that must be there: it is tried on every file."
        yield Code.SLOW_REGEX, "warn", message, ""
    pieces = _pieces(source)
    if any(text == "." and source[at + 1 : at + 2] in ("*", "+") for at, text in pieces):
        message = "“.*” or “.+” crosses folders. Write what a name may hold instead, such as [^\\\\]+."
        yield Code.BROAD_REGEX, "warn", message.replace("\\\\", "\\\\" if os == "windows" else "/"), ""
    if _unescaped_dots(source, pieces):
        message = "a “.” before an extension stands for any character. Write “\\.”."
        yield Code.BROAD_REGEX, "warn", message, "escape_dots"
    if _has_odd_brace(source, pieces):
        message = "a brace that is no repeat count is taken as a character. Write “\\{”, or mend the count."
        yield Code.BROAD_REGEX, "warn", message, ""
    if _alternates_at_top(pieces):
        message = "“|” outside of parentheses: each side must be the whole path by itself. Put the part in ( … )."
        yield Code.BROAD_REGEX, "warn", message, ""


def with_escaped_dots(source: str) -> str:
    """The expression with the dots before extensions escaped; nothing else of it changes."""
    dots = set(_unescaped_dots(source, _pieces(source)))
    return "".join(f"\\{text}" if at in dots else text for at, text in _pieces(source))


def _pieces(source: str) -> list[tuple[int, str]]:
    return [(found.start(), found[0]) for found in _PIECE.finditer(source)]


def _unescaped_dots(source: str, pieces: list[tuple[int, str]]) -> list[int]:
    """Where a bare dot stands before what looks like an extension at the end of the path or of a group."""
    found = []
    for at, text in pieces:
        if text != "." or source[at + 1 : at + 2] in _REPEATS:
            continue
        extension = _EXTENSION.match(source, at + 1)
        if extension and source[extension.end() : extension.end() + 1] in ("", ")", "|", "$"):
            found.append(at)
    return found


def _has_odd_brace(source: str, pieces: list[tuple[int, str]]) -> bool:
    counted = {index for found in _REPEAT.finditer(source) for index in range(found.start(), found.end())}
    quoted = _ends_of_names(source)
    return any(text in "{}" and at not in counted and at not in quoted for at, text in pieces)


def _ends_of_names(source: str) -> set[int]:
    """The braces of `\\p{Greek}` and `\\x{10FFFF}`."""
    named = re.finditer(r"\\[pPx](\{[^}]*\})", source)
    return {index for found in named for index in (found.start(1), found.end(1) - 1)}


def _alternates_at_top(pieces: list[tuple[int, str]]) -> bool:
    depth = 0
    for _, text in pieces:
        depth += {"(": 1, ")": -1}.get(text, 0)
        if text == "|" and depth == 0:
            return True
    return False
