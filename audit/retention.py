"""Retention: days come seven ahead and go whole when they are too old, with all that only they named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection

from audit import partitions
from policies import match_counts
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching

RETENTION_LOCK = 0x72657465
_UNUSED_DAYS = 2  # a dictionary row outlives the last event that named it by this much


@dataclass(frozen=True, slots=True)
class Kept:
    """What one run did: partitions made and dropped, ledger rows and dictionary rows forgotten."""

    made: int = 0
    dropped: int = 0
    batches: int = 0
    entries: int = 0
    skipped: bool = False


def keep_days(reach: Reach, *, retention_days: int | None = None) -> Kept:
    """Make the coming week's partitions; drop days older than the retention. Needs a reach over everything.

    Two transactions, so that a day that is being read cannot keep the coming ones from being made. Never drops one
    of the last seven days. Counts of matches stay longer than events (`policies.match_counts.KEPT_DAYS`).
    """
    days = max(retention_days or settings.AUDIT_RETENTION_DAYS, 8)
    with reaching(reach):
        if not _locked():
            return Kept(skipped=True)
        made = partitions.ensure_ahead()
    with reaching(reach):
        if not _locked():
            return Kept(made, skipped=True)
        oldest = partitions.oldest_kept(days)
        dropped = partitions.drop_before(oldest)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM audit_rejected WHERE received_at < %s", [oldest])
            cursor.execute("DELETE FROM audit_batch WHERE received_at < %s", [oldest])
            batches = cursor.rowcount
            unused = oldest - timedelta(days=_UNUSED_DAYS)
            cursor.execute("SELECT audit_forget(%s)", [unused])
            entries = int(cursor.fetchone()[0])
            for table in ("audit_user", "audit_decision"):
                cursor.execute(f"DELETE FROM {table} WHERE last_seen < %s", [unused])  # noqa: S608
                entries += cursor.rowcount
            cursor.execute("DELETE FROM audit_application_computer WHERE last_day < %s", [oldest])
        match_counts.prune(reach)
    return Kept(made, dropped, batches, entries)


def _locked() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [RETENTION_LOCK])
        return bool(cursor.fetchone()[0])
