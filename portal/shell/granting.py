"""Who can help somebody that lacks a capability: the page of a refusal names people, not only a word. Reads only."""

from __future__ import annotations

from uuid import UUID

from portal.accounts.models import Membership
from portal.accounts.roles import CAPABILITIES
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching

MOST_NAMES = 3


def who_can_grant(organization: Organization) -> list[str]:
    """Names of at most three people who manage people at `organization` or above it, the nearest first.

    Shown to whoever reaches that organization: they ask somebody they work with anyway.
    """
    roles = [role for role, capabilities in CAPABILITIES.items() if Capability.USER_WRITE in capabilities]
    with reaching(system_reach("name who can grant a capability")) as system:
        parents = dict(Organization.objects.within(system).values_list("id", "parent_id"))
        names: list[str] = []
        at: UUID | None = organization.id
        while at is not None and len(names) < MOST_NAMES:
            found = Membership.objects.within(system).filter(organization_id=at, role__in=roles, user__is_active=True)
            names += found.order_by("user__name").values_list("user__name", flat=True)[:MOST_NAMES]
            at = parents.get(at)
    return list(dict.fromkeys(names))[:MOST_NAMES]
