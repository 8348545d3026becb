"""What to tell a person whose regular expression RE2 refuses: where it goes wrong, what to write."""

import re

from policies.engine.pattern_error import PatternError

_PARENTHESES = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]", re.DOTALL)
_SINGLE_BACKSLASH = re.compile(r"^\^?(?:[A-Za-z]:)(\\)[A-Za-z0-9]")

_AS_RE2_SAYS = {
    "invalid character class range": (
        "regex_bad_range",
        "This range of characters runs backwards or is unknown.",
    ),
    "missing )": (
        "regex_unbalanced",
        "A parenthesis is opened and never closed. For the character write `\\(`.",
    ),
    "unexpected )": (
        "regex_unbalanced",
        "A parenthesis is closed that was never opened. Write `\\)` for the character.",
    ),
    "missing ]": (
        "regex_unbalanced",
        "A bracket is opened and never closed. For the character itself write `\\[`.",
    ),
    "invalid repetition size": ("regex_repeat_too_large", "Repeat counts go up to 1000."),
    "bad repetition operator": ("regex_bad_repeat", "Two repeat signs follow each other; keep one of them."),
    "trailing \\": (
        "regex_trailing_backslash",
        "It ends in a single backslash; write two for the character itself.",
    ),
    "pattern too large": (
        "regex_too_large",
        "This regex is too large once its repeats are written out; shorten them.",
    ),
    "invalid named capture group": (
        "regex_bad_group",
        "This group name is not one; a plain `(` needs no name.",
    ),
}


def refusal(source: str, raw: bytes | str) -> PatternError:
    """The PatternError for what RE2 said about `source`: bytes, with the culprit after a colon."""
    said = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    problem, _, culprit = said.partition(": ")
    if culprit == "(?P" and "(?P=" in source:
        culprit = "(?P="
    code, message = _told(problem, culprit)
    position = _position(source, problem, culprit)
    return PatternError(code, message, position if position >= 0 else None)


def _position(source: str, problem: str, culprit: str) -> int:
    if problem.startswith(("missing )", "unexpected )")):
        return _unbalanced(source)
    if problem.startswith("trailing"):
        return len(source) - 1
    return source.find(culprit) if culprit else -1


def _unbalanced(source: str) -> int:
    """Where the parenthesis without a partner stands: the first stray `)`, else the last `(` left open."""
    opened: list[int] = []
    for token in _PARENTHESES.finditer(source):
        if token[0] == "(":
            opened.append(token.start())
        elif token[0] == ")":
            if not opened:
                return token.start()
            opened.pop()
    return opened[-1] if opened else -1


def _told(problem: str, culprit: str) -> tuple[str, str]:
    if problem == "invalid perl operator":
        return _perl_operator(culprit)
    if problem == "invalid escape sequence":
        return _escape(culprit)
    if problem == "no argument for repetition operator":
        return "regex_is_wildcard", (
            "There is nothing before this sign to repeat: it looks like a wildcard, not a regex. "
            "Remove `regex:` or write `.*` where you mean any run of characters."
        )
    for beginning, told in _AS_RE2_SAYS.items():
        if problem.startswith(beginning):
            return told
    return "regex_invalid", f"RE2 does not take this regex: {problem} {culprit}".rstrip() + "."


def _perl_operator(culprit: str) -> tuple[str, str]:
    if culprit.startswith(("(?=", "(?!", "(?<")):
        return "regex_lookaround", (
            "Look-ahead and look-behind are not supported: they can make a rule take forever. "
            "Write a second rule, or a deny policy above this one."
        )
    if culprit.startswith("(?P="):
        return "regex_back_reference", _NO_BACK_REFERENCES
    return "regex_unknown_group", f"`{culprit}` is not supported. Write a plain group: `( … )` or `(?: … )`."


_NO_BACK_REFERENCES = (
    "Back-references are not supported: they can make a rule take forever. "
    "Write the repeated text out, or one rule for each case."
)


def _escape(culprit: str) -> tuple[str, str]:
    if culprit[1:2].isdigit() or culprit[1:2] in ("k", "g"):
        return "regex_back_reference", _NO_BACK_REFERENCES
    if culprit[1:2] == "Z":
        return "regex_bad_escape", "`\\Z` is not needed: a regex is always matched against the whole path."
    doubled = "c:\\\\users\\\\bob"
    return "regex_bad_escape", (
        f"`{culprit}` means nothing here. In a regex every backslash of a path is written twice: `{doubled}`."
    )


def refuse_single_backslashes(source: str) -> None:
    """Raise PatternError for `c:\\temp…`: RE2 would take `\\t` for a tab and the rule would never match."""
    if found := _SINGLE_BACKSLASH.match(source):
        message = "In a regex every backslash of a path is written twice: `c:\\\\users\\\\bob`."
        raise PatternError("regex_single_backslash", message, found.start(1))
