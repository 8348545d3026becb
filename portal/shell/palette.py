"""The command palette's answer: where one can go, what one can find. Verbs of the screen itself are the browser's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from portal.common.registry import SearchHit, search_providers
from portal.shell.frame import Frame, Place
from portal.tenants import queries
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

LIMIT = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What the palette shows: places of the rail, organizations, and hits of the apps grouped by kind."""

    places: Sequence[Place]
    organizations: Sequence[Organization]
    kinds: Sequence[tuple[str, Sequence[SearchHit]]]

    @property
    def number(self) -> int:
        return len(self.places) + len(self.organizations) + sum(len(hits) for _, hits in self.kinds)


def answer(frame: Frame, reach: Reach, organization: Organization | None, text: str) -> Answer:
    """Everything that matches `text`, at most 8 of a kind. Without text: the places only."""
    text = text.strip()[:200]
    places = [place for block in frame.places for place in block if matches(text, place.label)]
    if not text:
        return Answer(places, (), ())
    return Answer(places[:LIMIT], _organizations(reach, text), _kinds(reach, organization, text))


def matches(text: str, label: str) -> bool:
    """Every word typed begins a word of the label: `pol` and `unified au` find what they should."""
    words = label.lower().split()
    return all(any(word.startswith(typed) for word in words) for typed in text.lower().split())


def _organizations(reach: Reach, text: str) -> list[Organization]:
    return list(queries.organizations(reach).filter(name__icontains=text)[:LIMIT])


def _kinds(reach: Reach, organization: Organization | None, text: str) -> list[tuple[str, Sequence[SearchHit]]]:
    grouped: dict[str, list[SearchHit]] = {}
    for provider in search_providers:
        for hit in provider(reach, organization, text)[:LIMIT]:
            grouped.setdefault(hit.kind, []).append(hit)
    return list(grouped.items())
