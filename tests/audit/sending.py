"""Batches as an agent sends them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from agents.protocol.messages import Event, EventBatch, EventDecision, EventsAnswer, RawEventBatch, decode, encode
from audit.ingest import ingest_batch
from portal.common import clock
from portal.tenants.models import Computer
from portal.tenants.reach import Reach
from tests.factories import SYSTEM

DENY = EventDecision(action="deny", effect="denied", reason_code="default_deny")
WOULD_DENY = EventDecision(action="deny", effect="permitted", simulated=True, reason_code="default_deny")
PERMIT = EventDecision(action="permit", effect="permitted", reason_code="permit")
RINGFENCED = EventDecision(action="permit_ringfenced", effect="ringfenced", reason_code="ringfence")


def event(sequence: int = 1, **fields: Any) -> Event:
    """An event; by default PowerShell starts a script of an RMM tool, and it is denied."""
    return Event(
        **{
            "sequence": sequence,
            "occurred_at_ms": clock.to_ms(clock.now()),
            "action_type": "execute",
            "path": r"C:\Windows\Temp\acmermm\8f2c41d7a9.ps1",
            "sha256": hashlib.sha256(str(fields.get("path", "a")).encode()).hexdigest(),
            "process": r"C:\Program Files\AcmeRMM\acme_agent.exe",
            "created_by": r"C:\Program Files\AcmeRMM\acme_agent.exe",
            "command_line": "powershell -File 8f2c41d7a9.ps1",
            "user": "ABLE\\jdoe",
            "decision": DENY,
            **fields,
        }
    )


def send(
    computer: Computer,
    *events: Event,
    batch: int = 1,
    boot_id: str = "boot-1",
    reach: Reach = SYSTEM,
    received_at: datetime | None = None,
) -> EventsAnswer:
    """Upload `events` as one MessagePack body."""
    message = EventBatch(boot_id=boot_id, batch=batch, first_sequence=events[0].sequence, events=events)
    return send_body(computer, encode(message), reach=reach, received_at=received_at)


def send_body(
    computer: Computer, body: bytes, *, reach: Reach = SYSTEM, received_at: datetime | None = None
) -> EventsAnswer:
    return ingest_batch(
        reach,
        computer=computer,
        batch=decode(RawEventBatch, body),
        digest=hashlib.sha256(body).hexdigest(),
        received_at=received_at,
    )
