"""What to propose where a rule or a policy asks for too little: taken from what was seen, or from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from policies import catalogue, queries
from policies.models import Policy
from policies.upkeep.evidence import Asked, evidence, needles_of
from policies.upkeep.matching import Matcher
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

# Nothing is stopped by it: a week of logs tells what to enforce.
WATCHING: Mapping[str, Any] = {
    lever: {"mode": "log_only", "entries": []} for lever in ("child_processes", "files", "network")
}


def common_condition(
    reach: Reach, organization: Organization, application_id: UUID, rule_id: UUID
) -> tuple[str, str] | None:
    """The box and text that all files shared which this rule matched in the last 30 days: one signer, else one
    program that wrote them. None when there is no such thing. Raises NotFound."""
    rule = queries.file_rule(reach, application_id, rule_id)
    draft, os = catalogue.draft_of(rule), rule.application.os
    matcher = Matcher({"rule": [draft]}, os)
    seen_rows = evidence().sightings(reach, Asked(organization, os, needles_of([draft], os))).rows
    rows = [row for row in seen_rows if row.visible and matcher.sets_matching(row)]
    for box in ("certificate", "created_by"):
        seen = {getattr(row, box).casefold(): getattr(row, box) for row in rows}
        if not getattr(rule, box) and len(seen) == 1 and next(iter(seen)):
            return box, next(iter(seen.values()))
    return None


def editor_query(rule_id: UUID, seen: tuple[str, str] | None) -> str:
    """The address query that opens the rule in its editor, with what was seen filled in."""
    filled = {} if seen is None else {seen[0]: seen[1]}
    return f"?{urlencode({'edit': str(rule_id), **filled})}#rule-{rule_id}"


def fence_for(policy: Policy) -> Mapping[str, Any]:
    """The ringfence that the catalogue suggests for the policy's applications; else one that only watches."""
    suggested = (application.suggested_ringfence for application in policy.named_applications)
    return next((fence for fence in suggested if fence), WATCHING)
