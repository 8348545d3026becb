"""Policies as CSV, in the order in which computers evaluate them. Each export stands in the System Audit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from policies import listing, match_counts
from policies.listing import PolicyTerms, state_of
from policies.match_counts import Matches
from policies.models import Policy
from portal.common.csv_text import csv_lines
from portal.common.paging import keyset
from portal.tenants import journal, queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach
from portal.tenants.scoping import reaching

_AT_ONCE = 500
COLUMNS = (
    "id", "organization", "order", "name", "applications", "scope", "target", "action", "status", "state",
    "ringfence", "allow_request", "starts_at", "expires_at", "scheduled", "users", "matches_30_days",
    "last_matched_at", "owner", "reason", "ticket", "created_at", "created_by", "changed_at", "changed_by",
)  # fmt: skip


def policy_lines(reach: Reach, terms: PolicyTerms, *, organization: Organization | None = None) -> Iterator[str]:
    """Every policy of `terms` as lines of CSV with a head. Records the export before the first line.

    The lines are read page by page, each page in a transaction of its own: they outlive the request's.
    """
    asked = {name: value for name, value in asdict(terms).items() if value}
    for organization_id in [organization.id] if organization else queries.topmost(reach, Capability.POLICY_READ):
        journal.record(reach, "policies.exported", organization, organization_id=organization_id, query=asked)
    return csv_lines(COLUMNS, _rows(reach, terms))


def _rows(reach: Reach, terms: PolicyTerms) -> Iterator[tuple[Any, ...]]:
    after, is_first = "", True
    while after or is_first:
        is_first = False
        with reaching(reach):
            found = listing.policies_listed(reach, terms)
            page = keyset(found, order=listing.AS_EVALUATED, after=after, size=_AT_ONCE)
            matched = match_counts.of_policies(reach, [policy.id for policy in page.rows])
            cells = [_cells(reach, policy, matched.get(policy.id, match_counts.NONE)) for policy in page.rows]
        yield from cells
        after = page.next


def _cells(reach: Reach, policy: Policy, matches: Matches) -> tuple[Any, ...]:
    return (
        policy.id,
        policy.organization.name,
        policy.order,
        policy.name,
        "; ".join(application.name for application in policy.named_applications),
        policy.level,
        policy.target_name,
        policy.action,
        policy.status,
        state_of(policy),
        ", ".join(sorted(policy.ringfence)) if policy.ringfence else "",
        _yes(policy.allow_request),
        policy.starts_at,
        policy.expires_at,
        _yes(bool(policy.schedule)),
        "; ".join(policy.users),
        matches.count,
        listing.last_match(reach, policy, matches),
        policy.owner,
        policy.reason,
        policy.ticket,
        policy.created_at,
        policy.created_by,
        policy.changed_at,
        policy.changed_by,
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
