"""What the dashboard shows of baselines."""

from __future__ import annotations

from policies.baselines import reading
from portal.common.registry import CardValue
from portal.common.templatetags.portcullis import address
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


def due_exceptions(reach: Reach, organization: Organization | None) -> CardValue:
    """Exceptions to baselines whose review date has come, and the first of them."""
    due = reading.exceptions_listed(reach, organization=str(organization.id) if organization else "", due=True)
    number, first = due.count(), due.first()
    if first is None:
        return CardValue(0)
    baseline = first.subscription.baseline
    home = baseline.organization if reach.sees(baseline.organization_id) else first.organization
    href = address("policies:baseline-detail", home, baseline=baseline.id) + "?tab=exceptions"
    return CardValue(number, f"since {first.review_on:%Y-%m-%d}", href, "ask")
