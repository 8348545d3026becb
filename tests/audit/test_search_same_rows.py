# ruff: noqa: S608  # the plain question is put together from this file's own texts
"""The store's shapes (walk, needle, windows, cells) give exactly the rows of the plain question, on random data."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection

from audit import fold, search, search_scope
from audit.query_line import parse
from audit.search_scope import Scope, scope_of
from audit.search_terms import EventTerms, terms_of
from portal.common import clock
from portal.tenants.models import Organization
from tests import factories
from tests.audit import fleet
from tests.audit.sending import PERMIT, event, send
from tests.conftest import _as_owner

SEED = 20261121

LINES = [
    "", "any:deny", "decision:denied", "decision:would_deny,ringfenced", "-decision:permitted", "decision:simulated",
    "decision:gap", "type:script,install", "-type:execute", "mode:learning", "is:hidden", "is:learned",
    "group:Finance", "-group:Finance", "host:FIN-01", "host:SAL-*", "-host:SAL-*", "host:FIN-01,SAL-02 any:deny",
    "path:setup", "path:*\\setup.exe", r'path:"C:\Program Files\*"', "path:a_b", "path:100%", "-path:temp",
    "path:setup,chrome", "path:setup path:users", "path:setup -path:users", "path:nothing-has-this", "büro", "BÜRO",
    "process:explorer", "process:acme_agent any:deny", "-process:cmd", 'process:""', 'created_by:""',
    "created_by:acme_agent", "created_by:acme_agent process:cmd", "-created_by:cmd path:update",
    "signer:microsoft", 'signer:""', "-signer:microsoft any:deny", 'signer:"" path:setup', "user:jdoe", "-user:jdoe",
    'user:""', "user:jdoe,mkay path:chrome", "user:nobody", "policy:11111111-1111-4111-8111-111111111111",
    "-application:22222222-2222-4222-8222-222222222222", "acme", "-acme", "acme setup", "explorer.exe,chrome.exe",
    "command:8f2c", "since:2d", "since:4d until:1d", "since:2d path:setup", "since:12h any:deny signer:acme",
]  # fmt: skip

_TEXTS = {
    "path": "coalesce(f.path, '')", "certificate": "coalesce(f.certificate, '')",
    "sha256": "coalesce(encode(f.sha256, 'hex'), '')", "process": "coalesce(p.path, '')",
    "created_by": "coalesce(c.path, '')", "user": "coalesce(u.name, '')", "command_line": "e.command_line",
    "policy_id": "coalesce(d.policy, '')", "application_id": "coalesce(d.application, '')",
}  # fmt: skip


@pytest.fixture
def organizations(northwind: Organization, able_moose: Organization, brisk_otter: Organization) -> list[Organization]:
    return [northwind, able_moose, brisk_otter]


@pytest.fixture
def readable_dictionaries(db: None) -> Iterator[None]:
    """For the plain question the tests read the dictionaries themselves; the product never may."""
    role, here = settings.DATABASES["default"]["USER"], settings.DATABASES["default"]["NAME"]
    _as_owner(f'GRANT SELECT ON audit_file, audit_path TO "{role}"', database=here)
    yield
    _as_owner(f'REVOKE SELECT ON audit_file, audit_path FROM "{role}"', database=here)


def plain(scope: Scope, terms: EventTerms, size: int, cursor: tuple | None) -> list[tuple]:
    """The question asked straight: one join over everything."""
    where, values = ["e.organization_number = ANY(%s)", "e.received_at >= %s", "e.received_at < %s"], []
    values += [scope.organizations, scope.low, scope.high]
    for key, column in (("outcomes", "outcome"), ("actions", "action_type"), ("groups", "group_number"),
                        ("computers", "computer_number"), ("modes", "mode")):  # fmt: skip
        if key in scope.filters:
            where.append(f"e.{column} = ANY(%s)")
            values.append(scope.filters[key])
        if f"not_{key}" in scope.filters:
            where.append(f"NOT e.{column} = ANY(%s)")
            values.append(scope.filters[f"not_{key}"])
    if terms.flags:
        where.append("e.flags & %s <> 0")
        values.append(terms.flags)
    for term in terms.texts:
        fields = ("path", "process", "created_by", "sha256") if term.on == "any" else (term.on,)
        likes = " OR ".join(f"{_TEXTS[name]} ILIKE %s" for name in fields for _ in term.patterns)
        where.append(f"{'NOT ' if term.negative else ''}({likes})")
        values += [pattern for _ in fields for pattern in term.patterns]
    if cursor:
        where.append("(e.received_at, e.id) < (%s, %s)")
        values += list(cursor)
    with connection.cursor() as db:
        db.execute(
            "SELECT e.received_at, e.id, e.organization_number FROM audit_event e"
            " LEFT JOIN audit_file f ON f.id = e.file_id LEFT JOIN audit_path p ON p.id = e.process_id"
            " LEFT JOIN audit_path c ON c.id = e.created_by_id LEFT JOIN audit_user u ON u.id = e.user_id"
            f" LEFT JOIN audit_decision d ON d.id = e.decision_id WHERE {' AND '.join(where)}"
            f" ORDER BY e.received_at DESC, e.id DESC LIMIT {size}",
            values,
        )
        return db.fetchall()


def keys(found: list[search.EventKey]) -> list[tuple]:
    return [(k.received_at, k.number, k.organization_number) for k in found]


@pytest.mark.parametrize("most_ids", [20_000, 5, 0])
def test_every_shape_gives_the_rows_of_the_plain_question(
    organizations: list[Organization],
    readable_dictionaries: None,
    monkeypatch: pytest.MonkeyPatch,
    most_ids: int,
) -> None:
    """`most_ids`: up to how many ids a text term becomes ids; 0 leaves every text to be compared event by event."""
    monkeypatch.setattr(search_scope, "MOST_IDS", most_ids)
    fleet.fill(organizations, seed=SEED, batches=100, folded=75)
    chance = random.Random(SEED)
    compared = filled = 0
    for line in LINES:
        terms = terms_of(parse(line))
        for organization in (None, organizations[1]):
            scope = scope_of(factories.SYSTEM, terms, organization)
            everything = plain(scope, terms, 1000, None)
            cursor = chance.choice(everything)[:2] if everything else None
            for size in (7, 100):
                for at in (None, cursor):
                    expected = plain(scope, terms, size, at)
                    for shape in ("auto", "walk"):
                        found = keys(search.matching_keys(scope, at, size, shape=shape))
                        assert found == expected, (line, organization, size, at, shape)
                        compared += 1
            assert search.count(factories.SYSTEM, terms, organization=organization).number == len(everything), line
            filled += bool(everything)
    assert compared == len(LINES) * 2 * 2 * 2 * 2
    assert filled > len(LINES) * 1.5


def test_a_rare_denial_is_found_behind_many_newer_cells(able_moose: Organization) -> None:
    """The cells that are newest by their last event need not hold the newest *denials*: the search goes on."""
    computer = factories.computer(factories.group(able_moose, "Finance"), "FIN-01")
    noon = (clock.now() - timedelta(days=1)).replace(hour=12)
    for index in range(100):
        one = {"path": rf"C:\needle\{index}.exe"}
        denied_at = noon - timedelta(hours=6 if index < 64 else 4, minutes=-index)
        send(computer, event(1, **one), batch=index * 2, received_at=denied_at)
        send(
            computer, event(2, decision=PERMIT, **one), batch=index * 2 + 1, received_at=noon - timedelta(minutes=index)
        )
    fold.fold(factories.SYSTEM)
    found = search.events(factories.SYSTEM, EventTerms.parse("path:needle any:deny"), size=10).rows
    assert [row.file_name for row in found] == [f"{index}.exe" for index in range(99, 89, -1)]


def test_pages_by_cursor_are_the_whole_list(organizations: list[Organization]) -> None:
    fleet.fill(organizations, seed=SEED + 1, batches=30, folded=20)
    terms = EventTerms.parse("any:deny")
    whole = [row.id for row in search.events(factories.SYSTEM, terms, size=500).rows]
    found, after = [], ""
    while True:
        page = search.events(factories.SYSTEM, terms, after=after, size=9)
        found += [row.id for row in page.rows]
        if not page.next:
            break
        after = page.next
    assert found == whole
    assert len(whole) > 30


def test_folding_changes_no_answer(organizations: list[Organization]) -> None:
    fleet.fill(organizations, seed=SEED + 2, batches=20, folded=0)
    terms = EventTerms.parse("path:setup created_by:acme_agent")
    before = [row.id for row in search.events(factories.SYSTEM, terms).rows]
    assert fold.fold(factories.SYSTEM).batches == 20
    assert [row.id for row in search.events(factories.SYSTEM, terms).rows] == before
    assert before
    assert fold.fold(factories.SYSTEM).batches == 0


def test_the_rollups_hold_every_event_once(organizations: list[Organization]) -> None:
    fleet.fill(organizations, seed=SEED + 3, batches=30, folded=10)
    fold.fold(factories.SYSTEM)
    with connection.cursor() as db:
        for table, condition in (("audit_daily", "true"), ("audit_daily_file", "file_id <> 0")):
            db.execute(f"SELECT organization_number, outcome, sum(n)::int FROM {table} GROUP BY 1, 2 ORDER BY 1, 2")
            rolled = db.fetchall()
            db.execute(
                "SELECT organization_number, outcome, count(*)::int FROM audit_event"
                f" WHERE outcome <> 0 AND {condition} GROUP BY 1, 2 ORDER BY 1, 2"
            )
            assert rolled == db.fetchall(), table
            assert rolled


def test_the_histogram_counts_what_the_list_shows(organizations: list[Organization]) -> None:
    fleet.fill(organizations, seed=SEED + 4, batches=20, folded=10)
    terms = EventTerms.parse("since:7d any:deny")
    slots = search.histogram(factories.SYSTEM, terms)
    assert len(slots) <= 73
    listed = search.events(factories.SYSTEM, terms, size=500).rows
    assert sum(sum(slot.counts.values()) for slot in slots) == len(listed)
    last = max(row.received_at for row in listed)
    assert next(s for s in slots if s.start <= last < s.start + s.width).counts


def test_facets_count_what_the_list_shows(organizations: list[Organization]) -> None:
    fleet.fill(organizations, seed=SEED + 5, batches=20, folded=10)
    terms = EventTerms.parse("decision:denied")
    listed = search.events(factories.SYSTEM, terms, size=500).rows
    found = search.facets(factories.SYSTEM, terms)
    by_signer = {value.value: value.number for value in found["certificate"]}
    assert by_signer == {s: sum(r.certificate == s for r in listed) for s in {r.certificate for r in listed}}
    assert {v.value for v in found["decision"]} >= {"denied", "permitted", "would_deny"}
    everything = search.events(factories.SYSTEM, EventTerms.parse(""), size=500).rows
    permitted = next(v.number for v in found["decision"] if v.value == "permitted")
    assert permitted == sum(row.outcome.word == "permitted" for row in everything)
