# ruff: noqa: S108  # folders are named here, nothing is written to them
"""Who can put a file where: the folders that ordinary people write to, and those that only administrators do.

The one list. The lint, the strength meter and whatever else judges a path go by it.
"""

from typing import Literal

from policies.engine.pattern_error import PatternError
from policies.engine.patterns import REGEX_PREFIX, UndefinedVariable, is_regex, is_wildcard, normal_pattern

Ground = Literal["protected", "writable", "open", "anywhere"]

# Lower case: Windows and macOS do not tell case apart. A writable folder inside a protected one counts as writable.
_PROTECTED = {
    "windows": ("c:\\program files\\", "c:\\program files (x86)\\", "c:\\windows\\"),
    "macos": ("/system/", "/library/", "/applications/", "/usr/", "/bin/", "/sbin/"),
    "linux": ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/etc/"),
}
_WRITABLE = {
    "windows": ("c:\\users\\", "c:\\programdata\\", "c:\\temp\\", "c:\\tmp\\", "c:\\windows\\temp\\",
                "c:\\windows\\tasks\\", "c:\\windows\\tracing\\", "c:\\windows\\system32\\spool\\drivers\\color\\",
                "c:\\$recycle.bin\\"),
    "macos": ("/users/", "/tmp/", "/private/tmp/", "/var/tmp/", "/var/folders/", "/private/var/", "/usr/local/",
              "/volumes/"),
    "linux": ("/home/", "/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/media/", "/mnt/"),
}  # fmt: skip
_MOST_LIKELY_WRITABLE = ("\\appdata\\", "\\temp\\", "\\downloads\\", "\\desktop\\")
_REGEX_META = frozenset(".^$*+?()[]{}|")


def is_writable_by_users(pattern: str, os: str) -> bool:
    """Whether a normal pattern lies wholly below a folder that ordinary people can write to."""
    return _cased(pattern, os).startswith(_WRITABLE.get(os, ()))


def is_protected(pattern: str, os: str) -> bool:
    """Whether a normal pattern lies wholly below a folder that only administrators can write to."""
    return not is_writable_by_users(pattern, os) and _cased(pattern, os).startswith(_PROTECTED.get(os, ()))


def ground_of(typed: str, os: str) -> Ground:
    """Who can put a file where a typed path pattern looks: only administrators (`protected`), anyone (`writable`),
    most likely anyone (`open`), or the pattern names no folder at all (`anywhere`).
    """
    prefix, tail = _literal_prefix(typed, os)
    if os == "windows" and any(part in f"{prefix}{tail}".lower() for part in _MOST_LIKELY_WRITABLE):
        return "writable"
    if is_writable_by_users(prefix, os):
        return "writable"
    if is_protected(prefix, os):
        return "protected"
    separator, least = ("\\", 1) if os == "windows" else ("/", 2)
    return "open" if prefix.count(separator) >= least and len(prefix) > 3 else "anywhere"


def _cased(text: str, os: str) -> str:
    return text if os == "linux" else text.lower()


def _literal_prefix(typed: str, os: str) -> tuple[str, str]:
    """(the text before the first part that varies, the literal text after it), variables expanded."""
    try:
        normal = normal_pattern(typed, os)
    except (PatternError, UndefinedVariable):
        normal = typed.strip().strip('"').lower()
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
