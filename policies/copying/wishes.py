"""What a person decides on the mapping screen: nothing of it is needed, every part has a safe default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

COPY, LEAVE_OUT = "copy", "leave_out"


@dataclass(frozen=True, slots=True)
class Wishes:
    """`applications`: (target organization, application) -> `copy`, `leave_out`, or the id of one to take instead.
    `left_out`: (target, policy) that are not copied there. `without_place`: what becomes of a policy whose group or
    computer the target organization does not have, and of a global one.
    """

    applications: Mapping[tuple[UUID, UUID], str] = field(default_factory=dict)
    left_out: frozenset[tuple[UUID, UUID]] = frozenset()
    without_place: Literal["leave_out", "organization"] = "leave_out"
