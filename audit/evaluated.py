"""Facts of events for the Evaluate screen: of one event, or of the newest one of a file."""

from __future__ import annotations

from audit import search
from audit.event_rows import EventRow
from audit.explain import facts_of
from audit.search_terms import EventTerms
from policies.evaluation.seen import Seen
from portal.common.errors import NotFound
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


def seen_event(reach: Reach, event_id: str, organization: Organization) -> Seen:
    """The facts that one event of an organization tells. Raises NotFound, Forbidden."""
    reach.require(Capability.AUDIT_READ, organization.id)
    row = search.event(reach, event_id, organization=organization)
    if row.is_gap:
        raise NotFound
    return _seen(row)


def seen_hash(reach: Reach, sha256: str, organization: Organization) -> Seen | None:
    """The facts of the newest event with this hash in an organization. Raises Forbidden."""
    reach.require(Capability.AUDIT_READ, organization.id)
    page = search.events(reach, EventTerms.parse(f"hash:{sha256}"), organization=organization, size=1)
    return _seen(page.rows[0]) if page.rows else None


def _seen(row: EventRow) -> Seen:
    return Seen(
        facts=facts_of(row),
        event=str(row.key),
        at=row.received_at,
        computer=row.computer.id if row.computer else None,
        computer_name=row.computer.name if row.computer else "",
    )
