"""How much was seen: files, computers, organizations, a few examples. What previews show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.catalogue import RuleDraft
from policies.upkeep.evidence import Asked, Sighting, evidence, needles_of
from policies.upkeep.matching import Matcher
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

EXAMPLES = 5
_COUNTED_FILES = 200
_COUNTED_IN_ALL = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """One file: where it lies, its signer, and whether a deny policy stopped it."""

    path: str
    certificate: str
    denied: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """Files that were seen. `explicit`: how many of them a deny policy stopped. `at_least`: more than was counted."""

    files: int = 0
    computers: int = 0
    organizations: int = 0
    explicit: int = 0
    examples: tuple[Example, ...] = ()
    at_least: bool = False


NOTHING = Seen()


def sizes(
    reach: Reach, asked: Asked, kinds: Mapping[str, Iterable[Sighting]], *, truncated: bool = False
) -> dict[str, Seen]:
    """The size of each kind of what was seen; computers of all are read at once. Stopped files are examples first."""
    files = {kind: _by_file(sightings) for kind, sightings in kinds.items()}
    counted = list(dict.fromkeys(file for of in files.values() for file in list(of)[:_COUNTED_FILES]))[:_COUNTED_IN_ALL]
    computers = evidence().computers(reach, asked, counted) if counted else {}
    return {kind: _seen(of, computers, truncated) for kind, of in files.items()}


def size(reach: Reach, asked: Asked, sightings: Iterable[Sighting], *, truncated: bool = False) -> Seen:
    """The size of what was seen."""
    return sizes(reach, asked, {"": sightings}, truncated=truncated)[""]


def _by_file(sightings: Iterable[Sighting]) -> dict[int, list[Sighting]]:
    found: dict[int, list[Sighting]] = {}
    for sighting in sightings:
        if sighting.visible:
            found.setdefault(sighting.file, []).append(sighting)
    return found


def _seen(by_file: Mapping[int, list[Sighting]], computers: Mapping[int, frozenset[int]], truncated: bool) -> Seen:
    files = [Example(seen[0].path, seen[0].certificate, any(one.explicit for one in seen)) for seen in by_file.values()]
    return Seen(
        files=len(by_file),
        computers=len({computer for file in by_file for computer in computers.get(file, ())}),
        organizations=len({o for seen in by_file.values() for one in seen for o in one.organizations}),
        explicit=sum(example.denied for example in files),
        examples=tuple(sorted(files, key=lambda one: (not one.denied, one.path.lower()))[:EXAMPLES]),
        at_least=bool(by_file) and (truncated or any(file not in computers for file in by_file)),
    )


def seen_by(reach: Reach, organization: Organization, os: str, rules: Iterable[RuleDraft]) -> Seen:
    """What any of the rules matched in the last 30 days, at the organization and beneath it."""
    rules = list(rules)
    asked = Asked(organization, os, needles_of(rules, os))
    found = evidence().sightings(reach, asked)
    matcher = Matcher({"rules": rules}, os)
    return size(reach, asked, (one for one in found.rows if matcher.sets_matching(one)), truncated=found.truncated)


def total(one: Seen, other: Seen) -> Seen:
    """Both together; of different operating systems, so that no file or computer is in both."""
    return Seen(
        files=one.files + other.files,
        computers=one.computers + other.computers,
        organizations=max(one.organizations, other.organizations),
        explicit=one.explicit + other.explicit,
        examples=(one.examples + other.examples)[:EXAMPLES],
        at_least=one.at_least or other.at_least,
    )
