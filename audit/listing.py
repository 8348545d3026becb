"""What the list of the Unified Audit shows beside its rows: chips, facets, histogram. Values; templates draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from audit import search
from audit.event_rows import EventRow, signer_of
from audit.query_line import Query, Token
from audit.search import Count, FacetValue, Slot
from audit.search_scope import scope_of
from audit.search_terms import DECISIONS, EventTerms
from audit.words import Outcome
from portal.common.paging import Page
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

DEFAULT_LINE = "any:deny since:24h"
_FACETS = (("decision", "Decision"), ("organization", "Organization"), ("group", "Group"), ("computer", "Computer"),
           ("certificate", "Signer"))  # fmt: skip
_STACK = (
    (Outcome.DENIED, "deny"),
    (Outcome.WOULD_DENY, "would"),
    (Outcome.RINGFENCED, "fence"),
    (Outcome.WOULD_RINGFENCE, "fence"),
    (Outcome.PERMITTED, "permit"),
    (Outcome.GAP, "none"),
)
_DRAWN = {
    "denied": ("deny", "x"),
    "would_deny": ("would", "x"),
    "ringfenced": ("fence", "grid-4x4"),
    "would_ringfence": ("fence", "grid-4x4"),
    "permitted": ("permit", "check"),
}
_WIDTH, _HEIGHT = 1200, 54
_HOURS = 7


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition in force; `without` is the query line that lets it go."""

    text: str
    without: str
    is_not: bool


@dataclass(frozen=True, slots=True)
class FacetChoice:
    """One value of a facet; `line` is the query after a click on it."""

    label: str
    number: int
    line: str
    is_on: bool
    is_out: bool
    decision: str = ""

    @property
    def tone(self) -> str:
        return _DRAWN.get(self.decision, ("none", ""))[0]

    @property
    def icon(self) -> str:
        return _DRAWN.get(self.decision, ("", "info-circle"))[1]


@dataclass(frozen=True, slots=True)
class Facet:
    label: str
    choices: tuple[FacetChoice, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of the histogram in the units of its view box (1200 × 56)."""

    tone: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Histogram:
    bars: tuple[Bar, ...]
    hours: tuple[datetime, ...]
    spoken: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One state of the list screen."""

    query: Query
    page: Page[EventRow]
    count: Count
    chips: tuple[Chip, ...]
    facets: tuple[Facet, ...]
    histogram: Histogram

    @property
    def line(self) -> str:
        return str(self.query)

    @property
    def widen(self) -> str:
        """Where the same query over the last seven days is answered."""
        return "?" + urlencode({"q": str(self.query.set("since", "7d"))})


def listing(
    reach: Reach, terms: EventTerms, *, organization: Organization | None, after: str = "", size: int = 50
) -> Listing:
    """Everything the first page shows. `organization` None: all in reach."""
    scope = scope_of(reach, terms, organization)
    return Listing(
        query=terms.query,
        page=search.events(reach, terms, after=after, size=size, scope=scope),
        count=search.count(reach, terms, scope=scope),
        chips=chips(terms.query),
        facets=facets(terms.query, search.facets(reach, terms, scope=scope), organization),
        histogram=histogram(search.histogram(reach, terms, scope=scope)),
    )


def related(row: EventRow) -> list[tuple[str, str]]:
    """(what, query line) of the searches that lead on from one event."""
    found = []
    if row.sha256:
        found.append(("This hash elsewhere", str(Query((Token("sha256", (row.sha256,)),)))))
    if row.file_name:
        found.append(("This name elsewhere", str(Query((Token("path", (f"*{row.file_name}",)),)))))
    if row.computer is not None:
        found.append((f"{row.computer_name}, 24 hours", computer_line(row.computer_name)))
    if row.process_name:
        found.append((f"Started by {row.process_name}", str(Query((Token("process", (row.process,)),)))))
    return found


def computer_line(name: str) -> str:
    """The query line of everything one computer reported in the last 24 hours."""
    return str(Query((Token("computer", (name,)), Token("since", ("24h",)))))


def chips(query: Query) -> tuple[Chip, ...]:
    return tuple(Chip(_said(t), str(query.without(t)), t.negative) for t in query.tokens)


def _said(token: Token) -> str:
    values = " or ".join(_value_said(token.key, value) for value in token.values)
    before = {"since": "since ", "until": "until ", "text": "", "decision": "", "flag": "", "with": "with "}
    name = before.get(token.key, f"{token.key.replace('_', ' ').replace('certificate', 'signer')}: ")
    return (
        f"not {name}{values}" if token.negative else f"{name}{values}".capitalize() if not name else f"{name}{values}"
    )


def _value_said(key: str, value: str) -> str:
    if key == "decision":
        return "any deny" if value == "deny" else value.replace("_", " ")
    return value or "none"


def facets(
    query: Query, found: Mapping[str, Sequence[FacetValue]], organization: Organization | None
) -> tuple[Facet, ...]:
    shown = []
    for key, label in _FACETS:
        if key == "organization" and organization is not None:
            continue
        choices = [_choice(query, key, value) for value in found.get(key, [])]
        if choices:
            shown.append(Facet(label, tuple(choices)))
    return tuple(shown)


def _choice(query: Query, key: str, value: FacetValue) -> FacetChoice:
    label = signer_of(value.label) if key == "certificate" else value.label
    wanted, unwanted = query.values(key), query.values(key, negative=True)
    is_on = value.value in wanted
    line = query.toggled(key, value.value)
    if key == "decision":
        means = {outcome.word for word in wanted for outcome in DECISIONS.get(word, frozenset())}
        is_on = value.value in means
        if is_on and value.value not in wanted:  # a word that means several, like `deny`: keep the others
            line = query.without_key(key)
            for word in sorted(means - {value.value}):
                line = line.toggled(key, word)
    return FacetChoice(
        label, value.number, str(line), is_on, value.value in unwanted, value.value if key == "decision" else ""
    )


def histogram(slots: Sequence[Slot]) -> Histogram:
    """Bars stacked by outcome, denials at the bottom; a slot that has any is at least a line high."""
    top = max((sum(slot.counts.values()) for slot in slots), default=0) or 1
    step = _WIDTH / max(len(slots), 1)
    bars = []
    for index, slot in enumerate(slots):
        base = float(_HEIGHT)
        for outcome, tone in _STACK:
            number = slot.counts.get(outcome, 0)
            if number:
                height = max(number * (_HEIGHT - 4) / top, 1.0)
                base -= height
                place = (index * step + 1, max(base, 0.0), max(step - 3, 1.0), height)
                bars.append(Bar(tone, *(f"{value:.1f}" for value in place)))
    every = max(len(slots) // (_HOURS - 1), 1)
    hours = tuple(slot.start for slot in slots[::every])[:_HOURS]
    return Histogram(tuple(bars), hours, _spoken(slots))


def _spoken(slots: Sequence[Slot]) -> str:
    totals: dict[str, Any] = {}
    for slot in slots:
        for outcome, number in slot.counts.items():
            totals[outcome.label.lower()] = totals.get(outcome.label.lower(), 0) + number
    parts = ", ".join(f"{number:,} {label}" for label, number in totals.items())
    return f"Events over time: {parts}." if parts else "No events in this time."
