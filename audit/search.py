"""Searching the Unified Audit: a page of events, one event, and the numbers beside a search.

Newest first by arrival (`received_at`). Every query names the organizations it may read; the store's functions keep to
them, and row-level security keeps to the reach whatever this module says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from audit import event_rows
from audit.event_rows import EventKey, EventRow
from audit.search_scope import Scope, organization_numbers, scope_of
from audit.search_terms import EventTerms
from audit.words import Outcome
from portal.common.errors import FieldError, Invalid, NotFound, Refused
from portal.common.paging import Page, pack_cursor, unpack_cursor
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach

log = structlog.get_logger(__name__)

MOST_COUNTED = 10_000
_LONGEST_MS = 700  # for a number beside the list
_LONGEST_LIST_MS = 8_000
_MOST_IN_HISTOGRAM = 200_000
_MOST_IN_FACETS = 20_000
_FACET_VALUES = 8
_SLOTS = 72


@dataclass(frozen=True, slots=True)
class Count:
    """How many events match; `is_capped` says there are more than were counted, not `is_known` that nobody knows."""

    number: int
    is_capped: bool
    is_known: bool = True

    def __str__(self) -> str:
        if not self.is_known:
            return "many"
        return f"{self.number:,}+" if self.is_capped else f"{self.number:,}"


@dataclass(frozen=True, slots=True)
class Slot:
    """One bar of the histogram: events that arrived from `start` for `width`, by outcome."""

    start: datetime
    width: timedelta
    counts: dict[Outcome, int]


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a facet: what to put in the query, what to show, how often it occurs."""

    value: str
    label: str
    number: int


def events(
    reach: Reach,
    terms: EventTerms,
    *,
    organization: Organization | None = None,
    after: str = "",
    size: int = 50,
    scope: Scope | None = None,
) -> Page[EventRow]:
    """One page of the events that match, newest first. `organization` None: all in reach. At most 500 a page."""
    scope = scope or scope_of(reach, terms, organization)
    cursor = _cursor(after)
    keys = matching_keys(scope, cursor, min(size, 500) + 1)
    more = len(keys) > min(size, 500)
    rows = event_rows.load(reach, keys[: min(size, 500)])
    last = rows[-1].key if rows else None
    return Page(rows, next=pack_cursor([str(last)]) if more and last else "")


def event(reach: Reach, event_id: str, *, organization: Organization | None = None) -> EventRow:
    """One event by the id it has on screen. Raises NotFound, also when it is out of reach."""
    key = EventKey.parse(event_id)
    if key is None:
        raise NotFound
    numbers = organization_numbers(reach, organization, children=False)
    keys = [EventKey(key.received_at, key.number, number) for number in numbers]
    rows = event_rows.load(reach, keys)
    if not rows:
        raise NotFound
    return rows[0]


def count(
    reach: Reach, terms: EventTerms, *, organization: Organization | None = None, scope: Scope | None = None
) -> Count:
    """How many match, counted to 10,000 and for less than a second. `scope`: what `scope_of` made of the terms."""
    scope = scope or scope_of(reach, terms, organization)
    found = in_brief("SELECT audit_count(%s::int[], %s, %s, %s::jsonb, %s)", [*scope.parameters, MOST_COUNTED + 1])
    if found is None:
        return Count(0, is_capped=True, is_known=False)
    number = int(found[0][0])
    return Count(min(number, MOST_COUNTED), number > MOST_COUNTED)


def count_since(reach: Reach, terms: EventTerms, newest: str, *, organization: Organization | None = None) -> Count:
    """How many matches arrived after the event with the id `newest`; none when that is no id."""
    key = EventKey.parse(newest)
    if key is None or terms.high is not None:
        return Count(0, is_capped=False)
    since = key.received_at + timedelta(microseconds=1)
    return count(reach, replace(terms, low=max(since, terms.low or since)), organization=organization)


def histogram(
    reach: Reach, terms: EventTerms, *, organization: Organization | None = None, scope: Scope | None = None
) -> list[Slot]:
    """At most 73 equal slots over the search's period, oldest first, empty ones included; none when it takes too long.

    A search without a beginning gets the period in which something matches.
    """
    scope = scope or scope_of(reach, terms, organization)
    slots = _slots(scope)
    first = next((index for index, slot in enumerate(slots) if slot.counts), 0)
    if terms.low is None and first > len(slots) // 2:
        slots = _slots(replace(scope, low=slots[first].start))
    return slots


def _slots(scope: Scope) -> list[Slot]:
    width = max(60, int((scope.high - scope.low).total_seconds() / _SLOTS))
    found = in_brief(
        "SELECT slot, outcome, n FROM audit_histogram(%s::int[], %s, %s, %s::jsonb, %s, %s)",
        [*scope.parameters, width, _MOST_IN_HISTOGRAM],
    )
    if found is None:
        return []
    number_of_slots = int((scope.high - scope.low).total_seconds() // width) + 1
    counts: list[dict[Outcome, int]] = [{} for _ in range(number_of_slots)]
    for slot, outcome, number in found:
        counts[min(max(slot, 0), number_of_slots - 1)][Outcome(outcome)] = number
    step = timedelta(seconds=width)
    return [Slot(scope.low + index * step, step, each) for index, each in enumerate(counts)]


def facets(
    reach: Reach, terms: EventTerms, *, organization: Organization | None = None, scope: Scope | None = None
) -> dict[str, list[FacetValue]]:
    """The commonest values among the newest 20,000 matches, by facet: decision, type, organization, group, computer,
    certificate. The decisions are counted as if no decision were asked for, so that others can be added."""
    scope = scope or scope_of(reach, terms, organization)
    found = _facet_rows(scope)
    undecided = {k: v for k, v in scope.filters.items() if k not in ("outcomes", "not_outcomes")}
    if undecided != scope.filters:
        found["outcome"] = _facet_rows(Scope(scope.organizations, scope.low, scope.high, undecided)).get("outcome", [])
    named = {
        "organization": _names(reach, Organization, found.get("organization", []), "slug"),
        "group": _names(reach, ComputerGroup, found.get("group", []), "name"),
        "computer": _names(reach, Computer, found.get("computer", []), "name"),
    }
    decisions = [
        FacetValue(Outcome(int(v)).word, Outcome(int(v)).label, n) for v, n in found.get("outcome", []) if int(v)
    ]
    signers = [FacetValue(value, value or "unsigned", n) for value, n in found.get("certificate", [])]
    return {"decision": decisions, **named, "certificate": signers}


def counts_by_organization(reach: Reach, terms: EventTerms) -> dict[int, int]:
    """Organization number -> how many match, among the newest 20,000; the hundred with the most of them."""
    scope = scope_of(reach, terms, None)
    rows = in_brief(
        "SELECT value, n FROM audit_facets(%s::int[], %s, %s, %s::jsonb, %s, 100) WHERE facet = 'organization'",
        [*scope.parameters, _MOST_IN_FACETS],
    )
    return {int(value): number for value, number in rows or []}


def matching_keys(
    scope: Scope, cursor: tuple[datetime, int] | None, size: int, *, shape: str = "auto"
) -> list[EventKey]:
    """The keys of the newest matches below the cursor, newest first. `shape="walk"` leaves the rollups out.

    Raises Refused when the search is too wide to be answered in time.
    """
    if not scope.organizations or scope.low >= scope.high:
        return []
    at, number = cursor or (None, None)
    found = in_brief(
        "SELECT received_at, id, organization_number FROM audit_search(%s::int[], %s, %s, %s, %s, %s::jsonb, %s, %s)",
        [scope.organizations, scope.low, scope.high, at, number, json.dumps(scope.filters), size, shape],
        longest_ms=_LONGEST_LIST_MS,
    )
    if found is None:
        raise Refused(
            "This looks through too many events. Narrow the time, name a computer, or look for what is there instead of"
            " for what is not.",
            pointer="/q",
        )
    return [EventKey(*row) for row in found]


def _facet_rows(scope: Scope) -> dict[str, list[tuple[str, int]]]:
    rows = in_brief(
        "SELECT facet, value, n FROM audit_facets(%s::int[], %s, %s, %s::jsonb, %s, %s)",
        [*scope.parameters, _MOST_IN_FACETS, _FACET_VALUES],
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for facet, value, number in rows or []:
        found.setdefault(facet, []).append((value, number))
    return found


def in_brief(sql: str, parameters: Sequence[Any], *, longest_ms: int = _LONGEST_MS) -> list[tuple[Any, ...]] | None:
    """The rows of a question, or None when they take longer than a page may wait for them."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            usual = cursor.fetchone()[0]
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{longest_ms}ms"])
            cursor.execute(sql, list(parameters))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [usual])
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        log.info("audit.number_took_too_long", sql=sql[:40])
        return None
    return rows


def _names(reach: Reach, model: Any, counted: Sequence[tuple[str, int]], by: str) -> list[FacetValue]:
    numbers = [int(value) for value, _ in counted]
    things = {thing.number: thing for thing in model.objects.within(reach).filter(number__in=numbers)}
    found: dict[tuple[str, str], int] = {}
    for value, n in counted:
        thing = things.get(int(value))
        if thing is not None:  # things of one name are one value: the query could not tell them apart
            key = (getattr(thing, by), thing.name)
            found[key] = found.get(key, 0) + n
    return [FacetValue(value, label, n) for (value, label), n in found.items()]


def _cursor(after: str) -> tuple[datetime, int] | None:
    if not after:
        return None
    values, _ = unpack_cursor(after)
    key = EventKey.parse(str(values[0])) if len(values) == 1 else None
    if key is None:
        raise Invalid([FieldError("/after", "This page link belongs to another list.")])
    return key.received_at, key.number


def _packed(key: EventKey) -> str:
    return str(key)
