"""What a policy stopped lately, for the mail: told by the audit, which fills the slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.common.registry import Slot


@dataclass(frozen=True, slots=True)
class Example:
    """One file that was stopped. `path` and `computer` are shown as text: what does not print is written out."""

    path: str
    computer: str
    organization: str
    at: datetime


# (reach, policy, since) -> at most ten, newest first, each file on each computer once.
recent_denials: Slot[Callable[[Any, Any, datetime], Sequence[Example]]] = Slot("what a policy stopped lately")
