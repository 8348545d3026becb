"""Fold and retention: safe to repeat, exact, and never a day too much."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from django.db import connection

from audit import fold, partitions, retention, search
from audit.search_terms import EventTerms
from policies.models import Policy
from portal.common import clock
from portal.tenants.models import Computer, Organization
from tests import factories
from tests.audit.sending import DENY, event, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def fin_01(able_moose: Organization) -> Computer:
    return factories.computer(factories.group(able_moose, "Finance"), "FIN-LT-01")


def ask(sql: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def test_a_batch_is_folded_once(fin_01: Computer) -> None:
    for number in range(3):
        send(fin_01, event(1), event(2), batch=number)
    assert fold.fold_some(factories.SYSTEM, at_most=2).batches == 2
    assert fold.fold(factories.SYSTEM).batches == 1
    assert fold.fold(factories.SYSTEM).batches == 0
    assert ask("SELECT sum(n) FROM audit_daily") == [(6,)]


def test_the_fold_tells_policies_when_they_matched_last(fin_01: Computer) -> None:
    policy = Policy.objects.within(factories.SYSTEM).get(target_group=fin_01.group, is_default=True)
    decision = msgspec.structs.replace(DENY, policy=str(policy.id))
    earlier, later = clock.now() - timedelta(hours=3), clock.now() - timedelta(hours=1)
    send(fin_01, event(1, decision=decision), batch=1, received_at=later)
    send(fin_01, event(1, decision=decision), batch=2, received_at=earlier)
    fold.fold(factories.SYSTEM)
    policy.refresh_from_db()
    assert policy.last_matched_at == later


def test_a_policy_id_that_is_none_harms_nobody(fin_01: Computer) -> None:
    send(fin_01, event(1, decision=msgspec.structs.replace(DENY, policy="'; DROP TABLE x --", rule="\x00")))
    assert fold.fold(factories.SYSTEM).batches == 1


def test_retention_drops_old_days_whole_with_what_only_they_named(fin_01: Computer) -> None:
    now = clock.now()
    send(fin_01, event(1, path=r"C:\old.exe", user="old"), batch=1, received_at=now - timedelta(days=40))
    send(fin_01, event(1, path=r"C:\new.exe", user="new"), batch=2, received_at=now - timedelta(days=5))
    fold.fold(factories.SYSTEM)
    kept = retention.keep_days(factories.SYSTEM, retention_days=30)
    assert kept.dropped >= 3
    assert kept.batches == 1
    assert kept.entries >= 2
    rows = search.events(factories.SYSTEM, EventTerms.parse("")).rows
    assert [row.file_name for row in rows] == ["new.exe"]
    assert ask("SELECT name FROM audit_user") == [("new",)]
    assert ask("SELECT to_regclass(%s)", partitions.event_partition(now - timedelta(days=40))) == [(None,)]
    assert retention.keep_days(factories.SYSTEM, retention_days=30).dropped == 0


def test_retention_keeps_the_last_week_whatever_it_is_told(fin_01: Computer) -> None:
    send(fin_01, event(1), received_at=clock.now() - timedelta(days=6))
    retention.keep_days(factories.SYSTEM, retention_days=1)
    assert len(search.events(factories.SYSTEM, EventTerms.parse("")).rows) == 1


def test_the_coming_week_has_its_partitions(fin_01: Computer) -> None:
    retention.keep_days(factories.SYSTEM)
    for days in range(8):
        name = partitions.event_partition(clock.now() + timedelta(days=days))
        assert ask("SELECT to_regclass(%s) IS NOT NULL", name) == [(True,)], name


def test_what_takes_too_long_is_given_up_and_harms_nothing(db: None) -> None:
    usual = ask("SHOW statement_timeout")
    assert search.in_brief("SELECT pg_sleep(10)", [], longest_ms=50) is None
    assert search.in_brief("SELECT 1", [], longest_ms=5000) == [(1,)]
    assert ask("SHOW statement_timeout") == usual
