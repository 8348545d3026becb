"""What became of the mails of a policy, for its page."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from policies.models import Notice
from portal.tenants.reach import Reach


def notices_of(reach: Reach, policy_id: UUID) -> QuerySet[Notice]:
    """The notices of a policy's people, by address; none before it stopped something."""
    found: QuerySet[Notice] = Notice.objects.within(reach).filter(policy_id=policy_id)
    return found.order_by("email")
