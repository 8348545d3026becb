"""What a policy stopped lately, for the mail to the people it tells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from audit import search
from audit.search_terms import terms_of_parameters
from policies.models import Level, Policy
from policies.notices.examples import Example
from portal.tenants.reach import Reach

MOST = 10
_READ = 100


def denied_lately(reach: Reach, policy: Policy, since: datetime) -> Sequence[Example]:
    """At most ten, newest first, each file on each computer once. Only of organizations that the policy applies to."""
    asked = {"policy": str(policy.id), "effect": "denied", "from": since.isoformat()}
    if policy.level == Level.GLOBAL:
        asked["include_children"] = "true"
    page = search.events(reach, terms_of_parameters(asked), organization=policy.organization, size=_READ)
    found: dict[tuple[str, str], Example] = {}
    for row in page.rows:
        computer = row.computer.name if row.computer else ""
        example = Example(row.path, computer, row.organization.name if row.organization else "", row.received_at)
        found.setdefault((row.path, computer), example)
    return list(found.values())[:MOST]
