"""Days of the audit store. One partition a UTC day of `received_at`, made ahead and dropped whole.

The application's role can neither create nor drop a table: the owner's functions do it, within strict limits.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.db import connection

from portal.common import clock

AHEAD_DAYS = 7


def event_partition(received_at: datetime) -> str:
    """The name of the partition that holds events received then."""
    return f"audit_event_p{received_at.astimezone(UTC):%Y%m%d}"


def ensure(first: date, *, days: int) -> int:
    """Make the partitions of `days` UTC days from `first`; how many were missing. At most 400 days back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_ensure_partitions(%s, %s)", [first, days])
        return int(cursor.fetchone()[0])


def ensure_ahead() -> int:
    """Make today's partitions and those of the coming week."""
    return ensure(clock.now().date(), days=AHEAD_DAYS + 1)


def drop_before(day: date) -> int:
    """Drop the partitions of all days before `day`; how many. Refuses the last seven days."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_drop_partitions(%s)", [day])
        return int(cursor.fetchone()[0])


def oldest_kept(retention_days: int) -> date:
    """The first day that is kept."""
    return clock.now().date() - timedelta(days=retention_days)
