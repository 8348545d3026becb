"""How often policies, file rules and applications decided: counts per organization and UTC day.

The audit's fold writes them each minute (`record`), so a count may lack the last minute; lists say so (`AS_OF`).
Only organizations in reach count. Days go after `KEPT_DAYS`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Max, Sum

from policies.models import MatchCount
from portal.common import clock
from portal.tenants.reach import Reach

WINDOW_DAYS = 30
KEPT_DAYS = 400
AS_OF = "Counted each minute; the last minute may be missing."

# What an endpoint says is only counted where it can be true: the policy is its organization's own, or a global one
# of it or of an organization above; the application is one that it may read, and the rule is that application's.
_COUNT = """
WITH RECURSIVE line AS (
    SELECT o.id AS organization, o.number, o.id AS above, o.parent_id FROM tenants_organization o
    WHERE o.number = ANY (%(organizations)s::int[])
    UNION ALL
    SELECT l.organization, l.number, o.id, o.parent_id FROM line l JOIN tenants_organization o ON o.id = l.parent_id
), told AS (
    SELECT * FROM unnest(%(organizations)s::int[], %(days)s::date[], %(policies)s::uuid[], %(applications)s::uuid[],
                         %(rules)s::uuid[], %(counts)s::bigint[], %(times)s::timestamptz[])
        AS t(number, day, policy, application, rule, n, last_at)
), there AS MATERIALIZED (
    SELECT own.id AS organization, t.day, p.id AS policy, a.id AS application, r.id AS rule,
           sum(t.n)::bigint AS n, max(t.last_at) AS last_at
    FROM told t
    JOIN tenants_organization own ON own.number = t.number
    JOIN policies_policy p ON p.id = t.policy AND (p.organization_id = own.id OR p.level = 'global')
    JOIN line pl ON pl.number = t.number AND pl.above = p.organization_id
    LEFT JOIN policies_application a ON a.id = t.application AND (a.organization_id IS NULL
        OR (t.number, a.organization_id) IN (SELECT number, above FROM line))
    LEFT JOIN policies_filerule r ON r.id = t.rule AND r.application_id = a.id
    GROUP BY 1, 2, 3, 4, 5
), matched AS (
    UPDATE policies_policy p SET last_matched_at = m.at
    FROM (SELECT policy, max(last_at) AS at FROM there GROUP BY 1) m
    WHERE p.id = m.policy AND (p.last_matched_at IS NULL OR p.last_matched_at < m.at)
)
INSERT INTO policies_matchcount AS c (id, organization_id, day, policy, application, rule, count, last_at)
SELECT gen_random_uuid(), organization, day, policy, application, rule, n, last_at FROM there
ON CONFLICT (organization_id, day, policy, application, rule)
DO UPDATE SET count = c.count + excluded.count, last_at = greatest(c.last_at, excluded.last_at)
"""


@dataclass(frozen=True, slots=True)
class Matches:
    """How often something decided in the days asked for, and when last; `last_at` is None without a match."""

    count: int = 0
    last_at: datetime | None = None


NONE = Matches()


@dataclass(frozen=True, slots=True)
class Told:
    """What computers of one organization told of one UTC day: a policy decided `count` times, by this rule.

    `organization_number` is the server's own knowledge; the ids are the endpoint's words.
    """

    organization_number: int
    day: date
    policy: UUID
    application: UUID | None
    rule: UUID | None
    count: int
    last_at: datetime


def of_policies(reach: Reach, policy_ids: Collection[UUID], *, days: int = WINDOW_DAYS) -> dict[UUID, Matches]:
    """Policy id -> its matches in organizations in reach. Ids without a match are missing."""
    return _matches(reach, "policy", policy_ids, days)


def of_rules(reach: Reach, rule_ids: Collection[UUID], *, days: int = WINDOW_DAYS) -> dict[UUID, Matches]:
    """File rule id -> its matches, by whatever policy. Ids without a match are missing."""
    return _matches(reach, "rule", rule_ids, days)


def of_applications(reach: Reach, application_ids: Collection[UUID], *, days: int = WINDOW_DAYS) -> dict[UUID, Matches]:
    """Application id -> its matches, by whatever policy. Ids without a match are missing."""
    return _matches(reach, "application", application_ids, days)


def _matches(reach: Reach, what: str, ids: Collection[UUID], days: int) -> dict[UUID, Matches]:
    if not ids:
        return {}
    after = clock.now().date() - timedelta(days=days)
    found = MatchCount.objects.within(reach).filter(**{f"{what}__in": list(ids)}, day__gt=after)
    rows = found.order_by().values_list(what).annotate(Sum("count"), Max("last_at"))
    return {key: Matches(int(count), last_at) for key, count, last_at in rows}


def record(reach: Reach, told: Sequence[Told]) -> int:
    """Add what computers told to the counts and to `Policy.last_matched_at`. Needs a reach over everything, open.

    A policy that cannot apply to the organization counts nothing; an application or rule that cannot be meant is left
    out of the row. Returns how many rows were counted. Not idempotent: the fold
    calls it in the transaction that marks the batches.
    """
    if not told:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "organizations": [one.organization_number for one in told],
                "days": [one.day for one in told],
                "policies": [one.policy for one in told],
                "applications": [one.application for one in told],
                "rules": [one.rule for one in told],
                "counts": [one.count for one in told],
                "times": [one.last_at for one in told],
            },
        )
        return int(cursor.rowcount)


def prune(reach: Reach, *, before: date | None = None) -> int:
    """Forget days before `before` (the last `KEPT_DAYS` stay unless given). Returns how many rows went."""
    oldest = before or clock.now().date() - timedelta(days=KEPT_DAYS)
    gone, _ = MatchCount.objects.within(reach).filter(day__lt=oldest).delete()
    return int(gone)
