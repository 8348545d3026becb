"""Writing checked drafts as rules of an application, many in one statement. Tells nobody: its caller does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies import regex_budget
from policies.engine.rules import RULE_FIELDS
from policies.models import Application, FileRule
from portal.common.errors import Refused
from portal.tenants.reach import Reach

if TYPE_CHECKING:
    from policies.catalogue import RuleDraft

MOST_RULES = 20_000


def require_places(rules: int) -> None:
    """Raise Refused when an application would have this many rules."""
    if rules > MOST_RULES:
        raise Refused(
            f"An application takes {MOST_RULES:,} rules at most. Replace hashes by a certificate and a path.",
            pointer="/rules",
        )


def save_rules(reach: Reach, application: Application, drafts: Sequence[RuleDraft], *, after: int = 0) -> None:
    """Write checked drafts as rules of a locked application, numbered from `after` + 1. Raises Refused when the
    organization would have too many regular expressions that are tried on every file."""
    if application.organization_id is not None:
        regex_budget.require_room(reach, application.organization_id, application.os, drafts)
    FileRule.objects.within(reach).bulk_create(
        [
            FileRule(
                application=application,
                organization_id=application.organization_id,
                position=position,
                changed_by=reach.actor.name,
                note=draft.note,
                **{name: getattr(draft, name) for name in RULE_FIELDS},
            )
            for position, draft in enumerate(drafts, start=after + 1)
        ],
        batch_size=1_000,
    )
