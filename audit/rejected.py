"""Entries of batches that could not become events: what an agent sent and the portal could not read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from portal.common.errors import NotFound
from portal.tenants.models import Computer
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """When it arrived, why it was refused, and its first bytes as text (anything unreadable as a replacement)."""

    received_at: datetime
    reason: str
    raw: str


def rejected_of(reach: Reach, computer: Computer, *, most: int = 5) -> list[RejectedEntry]:
    """The newest entries of one computer that were refused. Raises NotFound when it is out of reach."""
    if not reach.sees(computer.organization_id):
        raise NotFound
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT received_at, reason, raw FROM audit_rejected WHERE computer_number = %s"
            " ORDER BY received_at DESC, batch_number DESC, index LIMIT %s",
            [computer.number, most],
        )
        return [
            RejectedEntry(at, reason, bytes(raw).decode("utf-8", "replace")) for at, reason, raw in cursor.fetchall()
        ]
