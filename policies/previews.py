"""What rules and applications meet in reality. The audit, a floor above, fills these places.

`match_preview` answers before a rule is saved: what was seen in the last days that it matches. `computers_seen` says on
how many computers each application matched something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from policies.strength import RuleText
from portal.common.registry import Slot
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Example:
    """One file that is matched: where it lies, what signs it, on how many computers it was seen, how often denied."""

    path: str
    sha256: str
    certificate: str
    computers: int
    denied: int


@dataclass(frozen=True, slots=True)
class MatchPreview:
    """What was seen in the window (permitted and denied) that any of the rules matches.

    `events`: how often; `denied_events` of them were denied. `only_denied`: files that were denied and, in the same
    organization, never permitted: what the rules would newly let run. `others`: organizations in which some of it was
    denied. `truncated`: a limit was met, every number is a lower bound. `unreadable`: a rule could not be tried.
    """

    files: int = 0
    computers: int = 0
    organizations: int = 0
    events: int = 0
    examples: tuple[Example, ...] = ()
    truncated: bool = False
    denied_events: int = 0
    denied_files: int = 0
    only_denied: int = 0
    unreadable: bool = False


class Preview(Protocol):
    def __call__(
        self,
        reach: Reach,
        os: str,
        rules: Sequence[RuleText],
        organization: Organization | None = None,
        days: int = WINDOW_DAYS,
    ) -> MatchPreview: ...


match_preview: Slot[Preview] = Slot("previewing what rules match")
Seen = Callable[[Reach, Sequence[UUID], int], dict[UUID, int]]
# (reach, ids of applications, days) -> computers in reach on which each matched something; a missing id is none.
computers_seen: Slot[Seen] = Slot("counting computers of applications")
