"""What the Unified Audit saw, as tidying needs it. The audit stands on a higher floor and fills `evidence`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from policies.catalogue import RuleDraft
from policies.engine import patterns
from policies.engine.facts import FileFacts
from policies.engine.normal_form import normal_facts
from policies.engine.pattern_error import PatternError
from policies.engine.patterns import UndefinedVariable
from portal.common.registry import Slot
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

DAYS = 30


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file as it was seen with one launching and one writing program: how often, how often stopped.

    `file` tells files (hash, path, signer) apart. `explicit`: stopped by a deny policy, not by a default.
    `visible`: seen where the reader may read; the others count for what a rule must cover and are never shown.
    `facts`: the same as the engine wants it.
    """

    file: int
    path: str
    sha256: str
    certificate: str
    process: str
    created_by: str
    organizations: frozenset[int]
    events: int
    denied: int
    explicit: int
    is_script: bool
    visible: bool
    facts: FileFacts


def facts_of(os: str, path: str, sha256: str, certificate: str, process: str, created_by: str) -> FileFacts:
    """What was seen as the engine wants it, in normal form."""
    certificates = (certificate,) if certificate else ()
    return normal_facts(FileFacts(path, sha256, certificates, process, created_by, os=os))


@dataclass(frozen=True, slots=True)
class Sightings:
    """`truncated`: there is more of it than is read."""

    rows: tuple[Sighting, ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Needles:
    """What to look for in the store: hashes, and LIKE patterns of which one is enough. Finds too much, never too little
    (but for what its limits leave off)."""

    hashes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    creators: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to the store. `days` back, None: as far as events are kept. `everyone`: count also what the reader
    may not see, at the organization and beneath it."""

    organization: Organization
    os: str
    needles: Needles
    days: int | None = DAYS
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """`sightings(reach, asked)`; `computers(reach, asked, files)` gives, per file, the numbers of the computers that
    the reader may know of. Both keep to the reader's reach, except for `everyone`."""

    sightings: Callable[[Reach, Asked], Sightings]
    computers: Callable[[Reach, Asked, Sequence[int]], Mapping[int, frozenset[int]]]


evidence: Slot[Evidence] = Slot("what the Unified Audit saw of files")


def needles_of(rules: Sequence[RuleDraft], os: str) -> Needles:
    """For each rule the condition that is quickest to look for; rules that cannot be read have none."""
    found: dict[str, dict[str, None]] = {"hash": {}, "path": {}, "certificate": {}, "created_by": {}, "process": {}}
    for rule in rules:
        field, text = _needle(rule, os)
        if text:
            found[field][text] = None
    return Needles(
        hashes=tuple(found["hash"]),
        paths=tuple(found["path"]),
        certificates=tuple(found["certificate"]),
        creators=tuple(found["created_by"]),
        processes=tuple(found["process"]),
    )


def _needle(rule: RuleDraft, os: str) -> tuple[str, str]:
    if rule.hash:
        return "hash", rule.hash
    for field in ("path", "created_by", "process"):
        if field != "path" and rule.certificate:
            return "certificate", escaped(rule.certificate)
        text = _like(getattr(rule, field), os)
        if text:
            return field, text
    return "certificate", escaped(rule.certificate) if rule.certificate else ""


def _like(pattern: str, os: str) -> str:
    """A LIKE pattern that every text matched by `pattern` matches; empty when it says nothing to look for."""
    try:
        normal = patterns.normal_pattern(pattern, os)
        pieces = patterns.fragments(normal, os)
    except (PatternError, UndefinedVariable):
        return ""
    if normal == patterns.ABSENT or not pieces:
        return ""
    if patterns.is_regex(normal):
        return f"%{escaped(max(pieces, key=len))}%"
    return escaped(normal).replace("*", "%").replace("?", "_")


def escaped(text: str) -> str:
    """`text` as LIKE takes it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
