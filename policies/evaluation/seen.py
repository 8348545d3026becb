"""Facts that computers reported: of one event, or of the newest event of a file. Filled by the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from policies.engine.facts import FileFacts
from portal.common.registry import Slot
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Seen:
    """What was reported, where and when. `computer` is None when it is gone. `event` is its id on screen."""

    facts: FileFacts
    event: str
    at: datetime
    computer: UUID | None = None
    computer_name: str = ""


seen_event: Slot[Callable[[Reach, str, Organization], Seen]] = Slot("the facts of an event")
"""(reach, event id, organization) -> its facts. Raises NotFound, Forbidden."""
seen_hash: Slot[Callable[[Reach, str, Organization], Seen | None]] = Slot("the facts of a file seen before")
"""(reach, sha256, organization) -> those of the newest event with this hash there; None without one."""
