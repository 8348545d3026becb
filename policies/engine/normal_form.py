"""The normal form of facts: applied once at the edge, by portal and agent alike, never inside matching.

Nothing here guesses: no Unicode normalization, no trimming of dots or spaces, no resolving of links or short
names. The agent supplies final paths.
"""

import re
from dataclasses import replace

from policies.engine.facts import FileFacts
from policies.engine.fold_table import FOLDED

_DEVICE_PREFIXES = ("\\\\?\\", "\\??\\")
_UNC_UNDER_PREFIX = "unc\\"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ASCII_SPACES = re.compile(r"[ \t\r\n\f\v]+")


def fold(text: str) -> str:
    """Fold case one to one by the frozen table: the length never changes, non-ASCII never becomes ASCII."""
    return text.lower() if text.isascii() else text.translate(FOLDED)


def normal_path(text: str, os: str) -> str:
    """The form in which paths are compared. Windows: backslashes, no device prefix, folded. Others: as is."""
    if os != "windows":
        return text
    path = text.replace("/", "\\")
    while path.startswith(_DEVICE_PREFIXES):
        path = path[4:]
        if path[:4].lower() == _UNC_UNDER_PREFIX:
            path = "\\\\" + path[4:]
    return fold(path)


def normal_hash(text: str) -> str:
    """Lower-case hex SHA-256, or empty when it is not one: a hash is never guessed."""
    digest = text.strip().lower()
    return digest if _SHA256.fullmatch(digest) else ""


def normal_certificate(text: str) -> str:
    """A signer's subject with case and runs of spaces folded."""
    return fold(_ASCII_SPACES.sub(" ", text).strip(" "))


def normal_user(text: str, os: str) -> str:
    """A user name as it is compared: case folded on Windows."""
    return fold(text) if os == "windows" else text


def normal_facts(facts: FileFacts) -> FileFacts:
    """Facts in normal form. Applying it twice changes nothing. The command line is kept as it was seen."""
    subjects = dict.fromkeys(normal_certificate(subject) for subject in facts.certificates)
    return replace(
        facts,
        path=normal_path(facts.path, facts.os),
        sha256=normal_hash(facts.sha256),
        certificates=tuple(subject for subject in subjects if subject),
        process=normal_path(facts.process, facts.os),
        created_by=normal_path(facts.created_by, facts.os),
        user=normal_user(facts.user, facts.os),
    )
