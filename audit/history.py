"""View File History: each hash seen under one path, or each name of one hash, and what that says about a hash rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from audit import search
from audit.event_rows import EventRow
from audit.name_shapes import changes, shape_of, split_path
from audit.search_scope import organization_numbers
from audit.search_terms import EventTerms, TextTerm, like_pattern
from audit.stored_text import stored
from portal.common import clock
from portal.common.errors import FieldError, Invalid
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

WINDOW_DAYS = 30
MOST_ALIKE = 30
_MOST_SIGHTINGS = 200
_SETTLED = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Version:
    """One (hash, path, signer), over everything the reader may see: when, how often, on how many computers."""

    sha256: str
    path: str
    certificate: str
    first_at: datetime
    last_at: datetime
    events: int
    denied: int
    computers: int
    organizations: int
    created_by: tuple[str, ...]

    @property
    def name(self) -> str:
        return split_path(self.path)[1]


@dataclass(frozen=True, slots=True)
class History:
    """The versions, oldest first, and the verdict on using the hash as a rule.

    `hash_changes`: how many new hashes appeared under the path in the last 30 days, after its first one.
    `names`: the paths that were taken together, empty when only the exact one was looked at.
    """

    path: str
    sha256: str
    versions: tuple[Version, ...]
    hash_changes: int
    sentence: str
    tone: str
    is_hash_stable: bool
    names: tuple[str, ...] = ()

    @property
    def name_changes(self) -> bool:
        """Whether the name has a part that looks as if it changed each time."""
        return changes(split_path(self.path)[1])

    @property
    def hashes(self) -> int:
        return len({v.sha256 for v in self.versions if v.sha256})

    @property
    def computers(self) -> int:
        """At least this many computers: the most that any one version was seen on."""
        return max((v.computers for v in self.versions), default=0)

    @property
    def first_at(self) -> datetime | None:
        return min((v.first_at for v in self.versions), default=None)

    @property
    def organizations(self) -> int:
        return max((v.organizations for v in self.versions), default=0)


def file_history(
    reach: Reach, *, path: str = "", sha256: str = "", organization: Organization | None = None
) -> History:
    """What was seen of a path (any case) or of a hash, as far as events are kept. Raises Invalid unless one is given.

    At most 5,000 versions. Only events of organizations in reach count.
    """
    if bool(path) == bool(sha256):
        raise Invalid([FieldError("/path", "Give a path or a sha256, one of the two.")])
    if sha256 and (len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef")):
        raise Invalid([FieldError("/sha256", "A SHA-256 has 64 hexadecimal digits.")])
    numbers = organization_numbers(reach, organization, children=organization is not None)
    oldest = clock.now() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sha256, path, certificate, first_at, last_at, n, denied, computers, organizations, created_by"
            " FROM audit_file_history(%s::int[], %s, %s, %s)",
            [numbers, stored(path) or None, bytes.fromhex(sha256) if sha256 else None, oldest],
        )
        versions = tuple(_version(row) for row in cursor.fetchall())
    return _judged(path, sha256.lower(), versions)


def history_of_alike(
    reach: Reach, *, path: str, organization: Organization | None = None, most: int = MOST_ALIKE
) -> History:
    """The histories of `path` and of the names beside it that differ only in digits, hex runs or GUIDs, as one.

    At most `most` names, the newest; how rows were grouped is told by `names`.
    """
    paths = paths_alike(reach, path, organization=organization)[:most]
    versions = [v for one in paths for v in file_history(reach, path=one, organization=organization).versions]
    versions.sort(key=lambda version: version.first_at)
    hashes = len({v.sha256 for v in versions if v.sha256})
    if len(paths) < 2:
        return _judged(path, "", versions)
    sentence = (
        f"{len(paths)} names of this shape with {hashes} hashes: do not use a hash rule, use a pattern for the name."
    )
    return History(path, "", tuple(versions), max(hashes - 1, 0), sentence, "deny", False, tuple(paths))


def paths_alike(reach: Reach, path: str, *, organization: Organization | None = None) -> list[str]:
    """`path` first, then the paths of the same folder and shape that were seen in 30 days, newest first, each once."""
    folder, name = split_path(path)
    if not folder or not changes(name):
        return [path] if path else []
    low = clock.now() - timedelta(days=WINDOW_DAYS)
    terms = EventTerms(low=low, texts=(TextTerm("path", (like_pattern(f"{folder}*"),)),))
    rows = search.events(reach, terms, organization=organization, size=_MOST_SIGHTINGS).rows
    alike = [
        row.path for row in rows if row.folder.lower() == folder.lower() and shape_of(row.file_name) == shape_of(name)
    ]
    return list(dict.fromkeys((path, *alike)))


def _version(row: Sequence[Any]) -> Version:
    sha256, path, certificate, first_at, last_at, events, denied, computers, organizations, created_by = row
    return Version(
        sha256, path, certificate, first_at, last_at, events, denied, computers, organizations, tuple(created_by)
    )


def history_of(reach: Reach, row: EventRow) -> History:
    """The history of an event's path, over all that the reader may see; of its hash when it has no path."""
    if row.path:
        return file_history(reach, path=row.path)
    if row.sha256:
        return file_history(reach, sha256=row.sha256)
    return _judged("", "", ())


def _judged(path: str, sha256: str, versions: Sequence[Version]) -> History:
    changes = _hash_changes(versions) if path else 0
    sentence, tone, stable = _verdict(path, versions, changes)
    return History(path, sha256, tuple(versions), changes, sentence, tone, stable)


def _hash_changes(versions: Sequence[Version]) -> int:
    firsts: dict[str, datetime] = {}
    for version in versions:
        if version.sha256:
            firsts[version.sha256] = min(version.first_at, firsts.get(version.sha256, version.first_at))
    recent = clock.now() - timedelta(days=WINDOW_DAYS)
    later = sorted(firsts.values())[1:]
    return sum(first >= recent for first in later)


def _verdict(path: str, versions: Sequence[Version], changes: int) -> tuple[str, str, bool]:
    """(sentence, tone, whether a hash rule would hold)."""
    if not versions:
        return "Nothing of this file is kept.", "none", False
    if not path:
        names = len({v.path for v in versions})
        where = f"under {names} names" if names > 1 else "under one name"
        return f"This hash was seen {where}. A hash rule matches all of them.", "permit", True
    if not any(v.sha256 for v in versions):
        return "Its hash was never read: a hash rule cannot match.", "deny", False
    if changes:
        times = "once" if changes == 1 else f"{changes} times"
        return f"Hash changed {times} in {WINDOW_DAYS} days: do not use a hash rule.", "deny", False
    first = min(v.first_at for v in versions)
    if clock.now() - first < _SETTLED:
        return "One hash so far, but the file is new here: too early to tell whether it changes.", "ask", True
    days = (clock.now() - first).days
    return f"The hash has not changed in {min(days, WINDOW_DAYS)} days: a hash rule holds.", "permit", True
