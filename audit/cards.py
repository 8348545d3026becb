"""What the Unified Audit puts on the dashboard and the rail."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Min
from django.urls import NoReverseMatch

from audit import requests, search
from audit.listing import computer_line
from audit.rejected import rejected_of
from audit.search_terms import EventTerms, NameTerm
from portal.common.paging import Page
from portal.common.registry import CardValue
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, Organization
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


def approvals_by_organization(reach: Reach) -> dict[UUID, CardValue]:
    """Organizations where somebody waits: how many, since when. One statement."""
    waiting = requests.approval_requests(reach, state="pending").order_by()
    return {
        row["organization_id"]: CardValue(
            row["number"],
            f"oldest {row['oldest']:%d %b %H:%M} UTC",
            _href("audit:request-list", row["organization__slug"]),
            "ask",
        )
        for row in waiting.values("organization_id", "organization__slug").annotate(
            number=Count("id"), oldest=Min("created_at")
        )
    }


def denials_by_organization(reach: Reach) -> dict[UUID, CardValue]:
    """True denials of the last 24 hours by organization, as far as a short look counts them."""
    numbers = search.counts_by_organization(reach, EventTerms.parse("decision:denied since:24h"))
    found = Organization.objects.within(reach).filter(number__in=numbers)
    return {
        one.id: CardValue(
            numbers[one.number],
            "",
            f"{_href('audit:event-list', one)}?q=decision:denied+since:24h",
            "deny",
        )
        for one in found
    }


def computer_panel(reach: Reach, computer: Computer) -> tuple[str, dict[str, Any]]:
    """The last things a computer reported, on its own page."""
    terms = EventTerms(names=(NameTerm("computer", (str(computer.id),), (str(computer.id),)),))
    may = reach.can(Capability.AUDIT_READ, computer.organization_id)
    page = search.events(reach, terms, organization=computer.organization, size=8) if may else Page(())
    return "audit/computer_panel.html", {
        "page": page,
        "computer": computer,
        "may_read": may,
        "line": computer_line(computer.name),
        "rejected": rejected_of(reach, computer) if may else [],
    }


def _href(name: str, organization: Organization | str | None) -> str:
    try:
        return address(name, organization)
    except NoReverseMatch:
        return ""
