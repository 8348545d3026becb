"""Which mode holds on a computer: its own while it lasts, else its group's, else secured. For a row and in SQL."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, CharField, F, Q, Value, When

from portal.common import clock
from portal.tenants.models import Computer, Mode


def mode_in_force(computer: Computer) -> tuple[str, datetime | None]:
    """(mode, when it ends). Reads `computer.group`."""
    now = clock.now()
    for holder in (computer, computer.group):
        if holder.mode != Mode.SECURED and (holder.mode_ends_at is None or holder.mode_ends_at > now):
            return holder.mode, holder.mode_ends_at
    return Mode.SECURED, None


def mode_in_force_sql() -> Case:
    """The same mode as an expression over computers."""
    return Case(
        When(_holds(""), then=F("mode")),
        When(_holds("group__"), then=F("group__mode")),
        default=Value(Mode.SECURED.value),
        output_field=CharField(),
    )


def _holds(prefix: str) -> Q:
    ends = f"{prefix}mode_ends_at"
    lasts = Q(**{f"{ends}__isnull": True}) | Q(**{f"{ends}__gt": clock.now()})
    return ~Q(**{f"{prefix}mode": Mode.SECURED}) & lasts
