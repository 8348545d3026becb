"""What deleting an application would break, said before anybody presses Delete."""

from __future__ import annotations

from dataclasses import dataclass

from policies import match_counts, queries
from policies.application_rows import Use, uses_of
from policies.catalogue import draft_of
from policies.match_counts import Matches
from policies.models import Application, Policy
from policies.previews import WINDOW_DAYS, MatchPreview, computers_seen, match_preview
from portal.tenants.reach import Reach

_MOST_POLICIES = 20
_MOST_RULES = 5_000


@dataclass(frozen=True, slots=True)
class DeletionImpact:
    """`policies` name it (at most 20 are listed; `uses` counts all in reach).

    `matches` and `computers`: what it decided in the last 30 days; `seen`: the files its rules match. They would be
    denied wherever no other application permits them.
    """

    application: Application
    policies: tuple[Policy, ...]
    uses: tuple[Use, ...]
    matches: Matches
    computers: int
    seen: MatchPreview

    @property
    def in_use(self) -> bool:
        return bool(self.uses)


def deletion_impact(reach: Reach, application: Application) -> DeletionImpact:
    """What hangs on an application, as far as the reach goes. Rules beyond 5,000 are not tried on what was seen."""
    rules = [draft_of(rule) for rule in queries.rules_of(reach, application.id)[:_MOST_RULES]]
    return DeletionImpact(
        application=application,
        policies=tuple(queries.policies_using(reach, application.id)[:_MOST_POLICIES]),
        uses=uses_of(reach, None, [application.id]).get(application.id, ()),
        matches=match_counts.of_applications(reach, [application.id]).get(application.id, match_counts.NONE),
        computers=computers_seen()(reach, [application.id], WINDOW_DAYS).get(application.id, 0),
        seen=match_preview()(reach, application.os, rules),
    )
