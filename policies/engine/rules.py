"""File rules and the check that every rule passes before it is saved."""

from dataclasses import dataclass
from typing import Literal, NoReturn

from policies.engine import patterns, regex_refusals
from policies.engine.normal_form import normal_hash
from policies.engine.pattern_error import PatternError

RuleField = Literal["hash", "path", "process", "created_by", "certificate"]

RULE_FIELDS: tuple[RuleField, ...] = ("hash", "path", "process", "created_by", "certificate")
PATTERN_FIELDS: tuple[RuleField, ...] = ("path", "process", "created_by")
MAX_CERTIFICATE_CHARACTERS = 2_048

_HASH_LENGTHS = {32: "MD5", 40: "SHA-1", 96: "SHA-384", 128: "SHA-512"}

# Ordinary paths with nothing in common: a pattern that matches all of them says nothing about a file.
_ANY_PATHS = {
    "windows": (
        r"c:\windows\system32\cmd.exe",
        r"d:\a",
        r"\\srv\share\x.dll",
        "z:\\users\\bob jones\\b-1_(2)\\é.ps1",
    ),
    "other": ("/usr/bin/env", "/a", "/home/bob jones/é-1_(2).sh", "/opt/app-1.0/lib.so"),
}


class RuleError(ValueError):
    """A rule that cannot be saved: which box, where in it (0-based, in the text as typed), what to write."""

    def __init__(self, code: str, message: str, field: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.position = position


@dataclass(frozen=True, slots=True)
class FileRule:
    """Conditions joined by AND; an empty box is not looked at. `[]` in process, created_by: must be empty."""

    id: str
    hash: str = ""
    path: str = ""
    process: str = ""
    created_by: str = ""
    certificate: str = ""


def check_rule(rule: FileRule, os: str) -> None:
    """Raise RuleError for a rule that may not be saved. Variables are checked by name, not by value."""
    present = [field for field in RULE_FIELDS if getattr(rule, field).strip()]
    if not present:
        raise RuleError("empty_rule", "A rule needs at least one condition: fill in one of the boxes.")
    for field in present:
        _refuse_lone_surrogates(field, getattr(rule, field))
    if "hash" in present:
        _check_hash(rule.hash)
    if "certificate" in present:
        _check_certificate(rule.certificate)
    says_nothing = [_check_pattern(field, getattr(rule, field), os) for field in PATTERN_FIELDS if field in present]
    if len(says_nothing) == len(present) and all(says_nothing):
        message = "This rule matches every file. Name a folder, a hash or a certificate in one of the boxes."
        raise RuleError("matches_everything", message, present[0], 0)


def _refuse_lone_surrogates(field: str, text: str) -> None:
    for position, char in enumerate(text):
        if "\ud800" <= char <= "\udfff":
            message = "This holds half a character (a lone surrogate). Match this file by its hash."
            raise RuleError("not_text", message, field, position)


def _check_hash(text: str) -> None:
    if normal_hash(text):
        return
    digest = text.strip()
    bad = next((index for index, char in enumerate(digest) if char not in "0123456789abcdefABCDEF"), None)
    start = len(text) - len(text.lstrip())
    if bad is not None:
        message = f"A hash has only the digits 0-9 and a-f; {digest[bad]!r} is not one."
        raise RuleError("bad_hash", message, "hash", start + bad)
    kind = f" (it looks like {_HASH_LENGTHS[len(digest)]})" if len(digest) in _HASH_LENGTHS else ""
    message = f"A SHA-256 hash has 64 hex digits; this has {len(digest)}{kind}."
    raise RuleError("bad_hash", message, "hash", start)


def _check_certificate(text: str) -> None:
    subject = text.strip()
    if not subject.strip("*? "):
        message = "A certificate takes no wildcard: write the whole subject, or leave the box empty."
        raise RuleError("certificate_wildcard", message, "certificate", text.find(subject))
    if subject == patterns.ABSENT:
        message = "`[]` (must be empty) works for process and created by only."
        raise RuleError("absent_not_here", message, "certificate", text.find(subject))
    if len(subject) > MAX_CERTIFICATE_CHARACTERS:
        message = f"A subject has at most {MAX_CERTIFICATE_CHARACTERS} characters, this one {len(subject)}."
        raise RuleError("too_long", message, "certificate", MAX_CERTIFICATE_CHARACTERS)


def _check_pattern(field: RuleField, text: str, os: str) -> bool:
    """Check one pattern box; True when it matches every path and so says nothing by itself."""
    inner, start = patterns.unquoted(text), patterns.start_of_pattern(text)
    if inner == patterns.ABSENT:
        if field == "path":
            message = "`[]` (must be empty) works for process and created by only."
            raise RuleError("absent_not_here", message, field, start)
        return False
    if not inner:
        raise RuleError("empty_pattern", "There is nothing between these quotes.", field, start)
    if patterns.is_regex(inner):
        return _check_regex(field, inner[len(patterns.REGEX_PREFIX) :], start + len(patterns.REGEX_PREFIX), os)
    if len(inner) > patterns.MAX_PATTERN_CHARACTERS:
        message = f"A pattern may have {patterns.MAX_PATTERN_CHARACTERS} characters; this has {len(inner)}."
        raise RuleError("too_long", message, field, start + patterns.MAX_PATTERN_CHARACTERS)
    try:
        matches = patterns.matcher(patterns.normal_pattern(text, os), os)
    except PatternError as error:
        raise RuleError(error.code, error.message, field, error.position) from None
    return _matches_everything(matches, os)


def _check_regex(field: RuleField, source: str, start: int, os: str) -> bool:
    def refuse(error: PatternError) -> NoReturn:
        position = None if error.position is None else start + error.position
        raise RuleError(error.code, error.message, field, position) from None

    try:
        if os == "windows":
            regex_refusals.refuse_single_backslashes(source)
        matches = patterns.matcher(patterns.REGEX_PREFIX + source, os)
    except PatternError as error:
        refuse(error)
    if matches(""):
        message = "This regex also matches an empty path. Write at least one character that must be there."
        refuse(PatternError("regex_matches_empty", message, 0))
    if _matches_everything(matches, os):
        message = "This regex matches every path. Name a folder or a file that must be there."
        refuse(PatternError("regex_matches_everything", message, 0))
    return False


def _matches_everything(matches: patterns.Matcher, os: str) -> bool:
    return all(matches(path) for path in _ANY_PATHS.get(os, _ANY_PATHS["other"]))
