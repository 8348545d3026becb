"""What one file rule says about itself: too broad, too weak, or not what its writer means."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from policies.engine.folders import is_protected, is_writable_by_users
from policies.engine.lint.findings import Code, Found, Severity
from policies.engine.lint.regex_checks import regex_faults
from policies.engine.pattern_error import PatternError
from policies.engine.patterns import (
    REGEX_PREFIX,
    UndefinedVariable,
    is_regex,
    is_wildcard,
    matcher,
    names_stream,
    normal_pattern,
    unquoted,
)
from policies.engine.rules import PATTERN_FIELDS, FileRule

_LABELS = {"path": "Path", "process": "Process", "created_by": "Created By"}
_SHORT_NAME = re.compile(r"~[0-9]+(?=[\\.]|$)")


@dataclass(frozen=True, slots=True)
class _Box:
    """One filled pattern box: as typed, and in normal form."""

    name: str
    typed: str
    pattern: str


def check_rule(rule: FileRule, os: str, *, application: str = "", permits: bool = True) -> list[Found]:
    """What is to be said of this rule by itself. `permits`: whether anything that names it permits, or may."""
    told: list[Found] = []

    def tell(code: Code, severity: Severity, message: str, field: str = "", remedy: str = "", **details: str) -> None:
        told.append(
            Found(
                code,
                severity,
                "rule",
                rule.id,
                message,
                application,
                field=field,
                remedy=remedy,
                details=details,
            )
        )

    boxes: list[_Box] = []
    for name in PATTERN_FIELDS:
        typed = getattr(rule, name)
        if not typed:
            continue
        try:
            boxes.append(_Box(name, typed, _readable(typed, os)))
        except UndefinedVariable:
            continue
        except PatternError as error:
            code = Code.UNKNOWN_VARIABLE if error.code == "unknown_variable" else Code.UNREADABLE
            tell(code, "danger", f"{_LABELS[name]}: {error.message}", name)
    for box in boxes:
        for code, severity, message, remedy in _box_faults(box, os):
            tell(code, severity, message, box.name, remedy)
    if permits and not any(one.severity == "danger" for one in told):
        weakness = _weakness(rule, boxes, os)
        if weakness is not None:
            code, severity, message = weakness
            tell(code, severity, message, "certificate" if code is Code.CERTIFICATE_ONLY else "path", "add_condition")
    return told


def _readable(typed: str, os: str) -> str:
    """The normal pattern. Raises PatternError, also for an expression that does not compile."""
    pattern = normal_pattern(typed, os)
    if is_regex(pattern):
        matcher(pattern, os)
    return pattern


def _box_faults(box: _Box, os: str) -> Iterator[tuple[Code, Severity, str, str]]:
    label = _LABELS[box.name]
    if is_regex(box.pattern):
        for code, severity, message, remedy in regex_faults(box.pattern[len(REGEX_PREFIX) :], os):
            yield code, severity, f"{label}: {message}", remedy
        return
    if os != "windows":
        return
    if _SHORT_NAME.search(box.pattern):
        yield (
            Code.SHORT_NAME,
            "warn",
            f"{label} has a short name (~1). Computers report full names: it never matches.",
            "",
        )
    if names_stream(box.pattern):
        yield Code.STREAM, "info", f"{label} names an alternate data stream: it matches nothing but such streams.", ""
    if "/" in unquoted(box.typed):
        message = f"{label} is written with “/”. Windows paths are compared with “\\”; it works, and reads wrong."
        yield Code.FORWARD_SLASH, "info", message, "use_backslashes"


def _weakness(rule: FileRule, boxes: list[_Box], os: str) -> tuple[Code, Severity, str] | None:
    """The worst thing about a rule that permits too easily; None for one that stands."""
    if rule.hash:
        return None
    path = next((box.pattern for box in boxes if box.name == "path"), "")
    if not path:
        if rule.certificate and not boxes:
            message = "The signer is the only condition: everything this publisher ever signed belongs to it."
            return Code.CERTIFICATE_ONLY, "warn", message
        return None
    if is_regex(path) or rule.certificate or rule.created_by or rule.process:
        return None
    if is_writable_by_users(path, os):
        message = "The path is the only condition, and people can write there: any file put there belongs to it."
        return Code.USER_WRITABLE, "danger", message
    if is_wildcard(path) and _is_broad(path, os):
        return Code.BROAD_WILDCARD, "danger", f"“{path}” names hardly any folder, and nothing else is asked for."
    if not is_protected(path, os):
        return Code.PATH_ONLY, "warn", "The path is the only condition: whoever can write there can run anything."
    message = "The path is the only condition. Only administrators write there, but any file of theirs belongs to it."
    return Code.PATH_ONLY, "info", message


def _is_broad(pattern: str, os: str) -> bool:
    """Fewer than two literal components before the first wildcard, or a start that may be anywhere."""
    separator = "\\" if os == "windows" else "/"
    literal = re.split(r"[*?]", pattern, maxsplit=1)[0]
    components = [part for part in literal.split(separator)[:-1] if part]
    if os == "windows" and components and components[0].endswith(":"):
        components = components[1:]
        return len(components) < 1
    return len(components) < 2
