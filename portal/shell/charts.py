"""The dashboard's one chart: denies of the last seven days, truly denied and only would-be denied, as plain
geometry that a template draws. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from audit import search
from audit.search import Slot
from audit.search_terms import EventTerms
from audit.words import Outcome
from portal.common import clock
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

WIDTH, BASE, HEIGHT = 800, 92.5, 84


@dataclass(frozen=True, slots=True)
class Bar:
    """One slot: two stacked rectangles; `x`, `y` and sizes in the units of the picture."""

    x: float
    width: float
    denied_y: float
    denied_height: float
    would_y: float
    would_height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """`days`: (x, weekday) under the axis. `says`: the whole chart as one sentence, for who cannot see it."""

    bars: Sequence[Bar]
    days: Sequence[tuple[float, str]]
    denied: int
    would_deny: int
    highest: int
    says: str


def denies(reach: Reach, organization: Organization | None, zone: ZoneInfo) -> Chart:
    """Seven days up to now, in equal slots. One statement."""
    now = clock.now()
    terms = EventTerms(
        low=now - timedelta(days=7),
        high=now,
        outcomes=frozenset({int(Outcome.DENIED), int(Outcome.WOULD_DENY)}),
    )
    slots = search.histogram(reach, terms, organization=organization)
    denied = sum(slot.counts.get(Outcome.DENIED, 0) for slot in slots)
    would = sum(slot.counts.get(Outcome.WOULD_DENY, 0) for slot in slots)
    highest = max((_height(slot) for slot in slots), default=0)
    says = f"Denies of the last 7 days: {denied:,} denied, {would:,} would be denied, at most {highest:,} in "
    return Chart(_bars(slots, highest), _days(slots, zone), denied, would, highest, says + _span(slots))


def _height(slot: Slot) -> int:
    return slot.counts.get(Outcome.DENIED, 0) + slot.counts.get(Outcome.WOULD_DENY, 0)


def _bars(slots: Sequence[Slot], highest: int) -> list[Bar]:
    step = WIDTH / max(len(slots), 1)
    scale = HEIGHT / max(highest, 1)
    found = []
    for index, slot in enumerate(slots):
        denied = slot.counts.get(Outcome.DENIED, 0) * scale
        would = slot.counts.get(Outcome.WOULD_DENY, 0) * scale
        found.append(
            Bar(
                x=round(index * step + 1, 1),
                width=round(step - 2, 1),
                denied_y=round(BASE - denied, 1),
                denied_height=round(denied, 1),
                would_y=round(BASE - denied - would, 1),
                would_height=round(would, 1),
            )
        )
    return [bar for bar in found if bar.denied_height or bar.would_height]


def _days(slots: Sequence[Slot], zone: ZoneInfo) -> list[tuple[float, str]]:
    """The first slot of each day, where its weekday is written."""
    step = WIDTH / max(len(slots), 1)
    seen: dict[str, float] = {}
    for index, slot in enumerate(slots):
        seen.setdefault(slot.start.astimezone(zone).strftime("%a %d"), round(index * step, 1))
    return [(x, day) for day, x in seen.items() if x < WIDTH - 30][-7:]


def _span(slots: Sequence[Slot]) -> str:
    minutes = round(slots[0].width.total_seconds() / 60) if slots else 0
    return f"{minutes} minutes."
