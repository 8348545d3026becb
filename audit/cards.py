"""What the Unified Audit puts on the dashboard and the rail."""

from __future__ import annotations

from django.urls import NoReverseMatch

from audit import requests, search
from audit.search_terms import EventTerms
from portal.common.registry import CardValue
from portal.common.templatetags.portcullis import address
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


def pending_requests(reach: Reach, organization: Organization | None) -> int:
    return requests.pending_count(reach, organization.id if organization else None)


def approvals(reach: Reach, organization: Organization | None) -> CardValue:
    """How many requests wait, and since when the oldest does."""
    waiting = requests.approval_requests(
        reach, organization_id=organization.id if organization else None, state="pending"
    )
    oldest = waiting.order_by("created_at").first()
    note = f"oldest {oldest.created_at:%d %b %H:%M} UTC" if oldest else "nobody waits"
    return CardValue(waiting.count(), note, _href("audit:request-list", organization), "ask" if oldest else "none")


def denials(reach: Reach, organization: Organization | None) -> CardValue:
    """True denials of the last 24 hours, counted to 10,000."""
    found = search.count(reach, EventTerms.parse("decision:denied since:24h"), organization=organization)
    href = _href("audit:event-list", organization)
    note = "or more" if found.is_capped else "really denied"
    return CardValue(found.number, note, f"{href}?q=decision:denied+since:24h", "deny" if found.number else "none")


def _href(name: str, organization: Organization | None) -> str:
    try:
        return address(name, organization)
    except NoReverseMatch:
        return ""
