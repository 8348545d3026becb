# ruff: noqa: S608  # table names of this file
"""Two walls around events: with the first one (the organizations a query names) taken away, the second still holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.db.utils import DatabaseError, ProgrammingError

from audit import export, history, search
from audit.search_scope import scope_of
from audit.search_terms import EventTerms
from portal.accounts.models import User
from portal.common.errors import NotFound
from portal.tenants import rls
from portal.tenants.models import Organization
from portal.tenants.scoping import reaching
from tests import factories
from tests.audit import fleet

Rows = list[tuple[Any, ...]]


@pytest.fixture
def two_tenants(able_moose: Organization, brisk_otter: Organization) -> None:
    fleet.fill([able_moose, brisk_otter], seed=7, batches=16, folded=9)


def ask(sql: str, *values: object) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def test_a_reader_finds_only_the_own_organizations_events(
    two_tenants: None, stranger: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    reach = factories.reach(stranger)
    with reaching(reach):
        page = search.events(reach, EventTerms.parse(""), size=500)
        assert page.rows
        assert {row.organization for row in page.rows} == {brisk_otter}
        assert search.events(reach, EventTerms.parse('org:"Able Moose Accounting"')).rows == []
        assert search.events(reach, EventTerms.parse("-org:brisk-otter-dental")).rows == []


def test_with_the_first_wall_gone_the_definer_functions_still_hide_foreign_rows(
    two_tenants: None, stranger: User, able_moose: Organization, brisk_otter: Organization
) -> None:
    reach = factories.reach(stranger)
    everything = scope_of(factories.SYSTEM, EventTerms.parse("path:e"), None)
    both = sorted([able_moose.number, brisk_otter.number])
    assert set(both) <= set(everything.organizations)
    foreign = search.matching_keys(replace(everything, organizations=[able_moose.number]), None, 50)
    assert foreign
    with reaching(reach):
        for shape in ("auto", "walk"):
            found = search.matching_keys(everything, None, 500, shape=shape)
            assert {key.organization_number for key in found} == {brisk_otter.number}
            assert search.matching_keys(replace(everything, organizations=[able_moose.number]), None, 9) == []
        told = [[k.received_at for k in foreign], [k.number for k in foreign], [able_moose.number] * len(foreign)]
        assert ask("SELECT * FROM audit_rows(%s::timestamptz[], %s::bigint[], %s::int[])", *told) == []
        for sql, more in (
            ("SELECT audit_count(%s::int[], %s, %s, %s::jsonb, 100)", ()),
            ("SELECT coalesce(sum(n), 0) FROM audit_histogram(%s::int[], %s, %s, %s::jsonb, 3600, 1000)", ()),
            ("SELECT coalesce(sum(n), 0) FROM audit_facets(%s::int[], %s, %s, %s::jsonb, 1000, 50)", ()),
            ("SELECT coalesce(sum(n), 0) FROM audit_grouped(%s::int[], %s, %s, %s::jsonb, '{path}', 1000, 50)", ()),
        ):
            own_only = replace(everything, organizations=[brisk_otter.number]).parameters
            foreign_only = replace(everything, organizations=[able_moose.number]).parameters
            assert ask(sql, *foreign_only, *more) == [(0,)], sql
            assert ask(sql, *everything.parameters, *more) == ask(sql, *own_only, *more) != [(0,)], sql
        path = fleet.FOLDERS[0] + "\\setup.exe"
        only_foreign = ask(
            "SELECT * FROM audit_file_history(%s::int[], %s, NULL, now() - interval '9 days')",
            [able_moose.number],
            path,
        )
        assert only_foreign == []


@pytest.mark.parametrize(
    "table", ["audit_event", "audit_daily", "audit_daily_file", "audit_batch", "audit_user", "audit_decision"]
)
def test_the_tables_themselves_hide_foreign_rows(
    two_tenants: None, stranger: User, brisk_otter: Organization, table: str
) -> None:
    assert len(ask(f"SELECT DISTINCT organization_number FROM {table}")) == 2
    with reaching(factories.reach(stranger)):
        assert ask(f"SELECT DISTINCT organization_number FROM {table}") == [(brisk_otter.number,)]
    with reaching(replace(factories.reach(stranger), grants={}, numbers={})):
        assert ask(f"SELECT count(*) FROM {table}") == [(0,)]


def partitions() -> list[str]:
    found = ask(
        "SELECT c.relname FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent"
        " WHERE p.relname LIKE 'audit_%%' AND c.relkind = 'r' ORDER BY 1"
    )
    return [name for (name,) in found]


def test_every_partition_is_behind_the_wall(two_tenants: None) -> None:
    assert len(partitions()) >= 3 * 9
    assert rls.unprotected_tables() == []


def test_no_partition_and_no_dictionary_can_be_read_directly(two_tenants: None) -> None:
    for table in [*partitions()[:3], *partitions()[-3:], "audit_file", "audit_path"]:
        with pytest.raises(ProgrammingError, match="permission denied"), reaching(factories.SYSTEM):
            ask(f"SELECT 1 FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET outcome = 1",
        "DELETE FROM audit_event",
        "TRUNCATE audit_event",
        "CREATE TABLE audit_event_p20990101 (id int)",
        "DROP TABLE audit_event",
        "SELECT audit_where('{}')",
        "SELECT audit_candidates('audit_file', 'path', '{%%}', 10)",
        "SELECT audit_protect('audit_event')",
        "SELECT audit_drop_partitions(current_date)",
        "SELECT audit_ensure_partitions(current_date, 100000)",
        "SELECT audit_forget(current_date)",
    ],
)
def test_the_applications_role_cannot_change_what_was_reported(two_tenants: None, statement: str) -> None:
    refusal = r"permission denied|must be owner|out of range|are kept|too young"
    with pytest.raises(DatabaseError, match=refusal), reaching(factories.SYSTEM):
        ask(statement)


def test_hostile_filters_are_values_and_nothing_else(two_tenants: None) -> None:
    """The search functions build SQL as the owner: whatever stands in a filter must stay text."""
    for text in ("'", "%' OR true --", "$1", "');DROP TABLE audit_event;--", "\\", "{}", "{a,b}", 'x"y', "%s", "\n"):
        for key in ("path", "process", "user", "signer", "policy", "hash", "command"):
            terms = EventTerms.parse(f'{key}:"{text.replace(chr(34), "")}"')
            assert (
                len(search.events(factories.SYSTEM, terms, size=500).rows)
                == search.count(factories.SYSTEM, terms).number
            )
    assert search.count(factories.SYSTEM, EventTerms.parse("")).number > 0


def test_an_event_of_another_tenant_is_not_found(
    two_tenants: None, stranger: User, technician: User, brisk_otter: Organization
) -> None:
    reach = factories.reach(technician)
    with reaching(reach):
        mine = search.events(reach, EventTerms.parse("")).rows[0]
    with reaching(factories.reach(stranger)) as theirs:
        for event_id in (mine.id, "0-0", "zz", "", "é-1", "0" * 12 + "-" + "0" * 13, "9999999999999-1"):
            with pytest.raises(NotFound):
                search.event(theirs, event_id)


def test_history_and_export_stay_within_the_reach(two_tenants: None, stranger: User, able_moose: Organization) -> None:
    reach = factories.reach(stranger)
    path = fleet.FOLDERS[0] + "\\setup.exe"
    with reaching(reach):
        own = history.file_history(reach, path=path)
        lines = list(export.csv_lines(reach, EventTerms.parse("")))
    everybody = history.file_history(factories.SYSTEM, path=path)
    assert 0 < sum(v.events for v in own.versions) < sum(v.events for v in everybody.versions)
    assert not any(able_moose.name in line for line in lines)
    assert len(lines) > 5
