"""The fold: batches that were received become rows of the daily rollups, set-wise, every minute.

A batch is folded once: its ledger row is marked in the same statement, and what it tells of policies and rules is
counted in the same transaction (`policies.match_counts`). What is not folded yet is read from the events
themselves by every query that goes by the rollups, so nothing waits for this job.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from audit.words import Outcome
from policies import match_counts, notices
from policies.match_counts import Told
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching

FOLD_LOCK = 0x666F6C64
BATCHES_AT_ONCE = 400

# LATERAL … OFFSET 0 keeps this a walk from ledger row to its own events (one index range each), whatever the planner
# believes about the sizes.
_FOLD = """
WITH due AS MATERIALIZED (
    SELECT number, organization_number, received_at FROM audit_batch
    WHERE folded_at IS NULL ORDER BY number LIMIT %s FOR UPDATE SKIP LOCKED
), cell AS MATERIALIZED (
    SELECT (e.received_at AT TIME ZONE 'UTC')::date AS day, e.organization_number, e.group_number, e.file_id,
           e.process_id, e.created_by_id, e.decision_id, e.action_type, e.outcome, count(*)::int AS n,
           min(e.received_at) AS first_at, max(e.received_at) AS last_at, array_agg(DISTINCT e.user_id) AS users,
           array_agg(DISTINCT e.computer_number) AS computers
    FROM due d CROSS JOIN LATERAL (
        SELECT * FROM audit_event x WHERE x.organization_number = d.organization_number
          AND x.received_at = d.received_at AND x.id >= d.number << 16 AND x.id < (d.number + 1) << 16 OFFSET 0
    ) e
    WHERE e.outcome <> 0
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), daily AS (
    INSERT INTO audit_daily (day, organization_number, group_number, file_id, process_id, created_by_id, decision_id,
                             action_type, outcome, n, first_at, last_at)
    SELECT day, organization_number, group_number, file_id, process_id, created_by_id, decision_id, action_type,
           outcome, n, first_at, last_at FROM cell
), daily_file AS (
    INSERT INTO audit_daily_file (day, organization_number, file_id, outcome, n, first_at, last_at)
    SELECT day, organization_number, file_id, outcome, sum(n), min(first_at), max(last_at) FROM cell
    WHERE file_id <> 0 GROUP BY 1, 2, 3, 4
), computer AS (
    INSERT INTO audit_application_computer (application, organization_number, computer_number, last_day)
    SELECT d.application::uuid, c.organization_number, one.number, max(c.day)
    FROM cell c JOIN audit_decision d ON d.id = c.decision_id CROSS JOIN LATERAL unnest(c.computers) one(number)
    WHERE d.application ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (application, organization_number, computer_number) DO UPDATE SET last_day = excluded.last_day
    WHERE audit_application_computer.last_day < excluded.last_day
), done AS (
    UPDATE audit_batch b SET folded_at = now() FROM due WHERE b.number = due.number RETURNING b.number
)
SELECT (SELECT count(*) FROM done), day, file_id, process_id, created_by_id, decision_id, users, last_at,
       organization_number, n, outcome
FROM (SELECT 1) one LEFT JOIN cell ON true
"""
# Ids of decisions are an endpoint's words: text that is no id in its one written form is nobody's.
_UUID = "CASE WHEN d.{0} ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' THEN d.{0}::uuid END"
_DECIDED = f"""
SELECT d.id, {_UUID.format("policy")}, {_UUID.format("application")}, {_UUID.format("rule")}
FROM audit_decision d WHERE d.id = ANY (%s::bigint[]) AND d.policy <> ''
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Folded:
    """How many batches, into how many rollup cells. `skipped`: another fold is at work."""

    batches: int = 0
    cells: int = 0
    skipped: bool = False


def fold(reach: Reach, *, seconds: float = 15) -> Folded:
    """Fold what waits, oldest first, some hundred batches a transaction, until nothing waits or time is up.

    Needs a reach over everything. Safe to run at any time, twice at once, or never for a while.
    """
    until = time.monotonic() + seconds
    batches = cells = 0
    while True:
        step = fold_some(reach)
        batches, cells = batches + step.batches, cells + step.cells
        if step.skipped or step.batches < BATCHES_AT_ONCE or time.monotonic() > until:
            return Folded(batches, cells, step.skipped)


def fold_some(reach: Reach, *, at_most: int = BATCHES_AT_ONCE) -> Folded:
    """One transaction of the fold, under the fold's lock."""
    with reaching(reach), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [FOLD_LOCK])
        if not cursor.fetchone()[0]:
            return Folded(skipped=True)
        cursor.execute(_FOLD, [at_most])
        rows = cursor.fetchall()
        batches = rows[0][0]
        cells = [row[1:] for row in rows if row[1] is not None]
        _mark_seen(cells)
        match_counts.record(reach, _told(cells))
        notices.denied(reach, _told([cell for cell in cells if cell[-1] == Outcome.DENIED]))
    return Folded(batches, len(cells))


def _mark_seen(cells: Sequence[tuple[Any, ...]]) -> None:
    """Tell dictionaries the day they were last met."""
    days: dict[date, tuple[set[int], set[int], set[int], set[int]]] = {}
    for day, file, process, created_by, decision, users, *_ in cells:
        files, paths, people, decisions = days.setdefault(day, (set(), set(), set(), set()))
        files.add(file)
        paths |= {process, created_by}
        people |= set(users)
        decisions.add(decision)
    with connection.cursor() as cursor:
        for day, (files, paths, people, decisions) in sorted(days.items()):
            cursor.execute("SELECT audit_touch(%s::bigint[], %s::bigint[], %s)", [list(files), list(paths), day])
            _touch_own(cursor, "audit_user", people, day)
            _touch_own(cursor, "audit_decision", decisions, day)


def _told(cells: Sequence[tuple[Any, ...]]) -> list[Told]:
    """What decided on which day in which organization, as far as the endpoints named it by ids."""
    counts: Counter[tuple[date, int, int]] = Counter()
    latest: dict[tuple[date, int, int], datetime] = {}
    for day, _, _, _, decision, _, last_at, organization, n, _ in cells:
        key = (day, organization, decision)
        counts[key] += n
        latest[key] = max(last_at, latest.get(key, last_at))
    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [sorted({decision for _, _, decision in counts})])
        ids = {decision: (policy, application, rule) for decision, policy, application, rule in cursor.fetchall()}
    told = []
    for (day, organization, decision), count in counts.items():
        policy, application, rule = ids.get(decision, (None, None, None))
        if policy is not None:
            at = latest[day, organization, decision]
            told.append(Told(organization, day, policy, application, rule, count, at))
    return told


def _touch_own(cursor: Any, table: str, ids: set[int], day: date) -> None:
    cursor.execute(
        f"UPDATE {table} SET last_seen = %s WHERE id = ANY (%s::bigint[]) AND last_seen < %s",  # noqa: S608
        [day, sorted(ids), day],
    )
