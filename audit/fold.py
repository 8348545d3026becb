"""The fold: batches that were received become rows of the daily rollups, set-wise, every minute.

A batch is folded once: its ledger row is marked in the same statement. What is not folded yet is read from the events
themselves by every query that goes by the rollups, so nothing waits for this job.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

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
           min(e.received_at) AS first_at, max(e.received_at) AS last_at, array_agg(DISTINCT e.user_id) AS users
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
), done AS (
    UPDATE audit_batch b SET folded_at = now() FROM due WHERE b.number = due.number RETURNING b.number
)
SELECT (SELECT count(*) FROM done), day, file_id, process_id, created_by_id, decision_id, users, last_at
FROM (SELECT 1) one LEFT JOIN cell ON true
"""
_MATCHED = """
UPDATE policies_policy p SET last_matched_at = m.at
FROM (
    SELECT d.policy::uuid AS id, max(t.at) AS at FROM unnest(%s::bigint[], %s::timestamptz[]) t(decision, at)
    JOIN audit_decision d ON d.id = t.decision WHERE d.policy ~ '^[0-9a-f-]{36}$' GROUP BY 1
) m
WHERE p.id = m.id AND (p.last_matched_at IS NULL OR p.last_matched_at < m.at)
"""


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
    return Folded(batches, len(cells))


def _mark_seen(cells: Sequence[tuple[Any, ...]]) -> None:
    """Tell dictionaries the day, and policies the instant, they were last met."""
    decided: dict[int, datetime] = {}
    days: dict[date, tuple[set[int], set[int], set[int], set[int]]] = {}
    for day, file, process, created_by, decision, users, last_at in cells:
        files, paths, people, decisions = days.setdefault(day, (set(), set(), set(), set()))
        files.add(file)
        paths |= {process, created_by}
        people |= set(users)
        decisions.add(decision)
        decided[decision] = max(last_at, decided.get(decision, last_at))
    with connection.cursor() as cursor:
        for day, (files, paths, people, decisions) in sorted(days.items()):
            cursor.execute("SELECT audit_touch(%s::bigint[], %s::bigint[], %s)", [list(files), list(paths), day])
            _touch_own(cursor, "audit_user", people, day)
            _touch_own(cursor, "audit_decision", decisions, day)
        if decided:
            cursor.execute(_MATCHED, [list(decided), list(decided.values())])


def _touch_own(cursor: Any, table: str, ids: set[int], day: date) -> None:
    cursor.execute(
        f"UPDATE {table} SET last_seen = %s WHERE id = ANY (%s::bigint[]) AND last_seen < %s",  # noqa: S608
        [day, sorted(ids), day],
    )
