"""What the command palette finds of this app: computers and groups."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from portal.common.registry import SearchHit
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

_MOST = 8


def find_computers(reach: Reach, organization: Organization | None, text: str) -> Sequence[SearchHit]:
    """Computers whose name begins with the text, those of the organization one is in only. At most 8."""
    if not reach.can_anywhere(Capability.COMPUTER_READ):
        return ()
    found = queries.computers(reach, organization.id if organization else None).filter(name__istartswith=text)
    return [
        SearchHit(
            computer.name,
            "Computers",
            reverse("tenants:computer-detail", args=[computer.organization.slug, computer.id]),
            f"{computer.organization.name} · {computer.group.name}",
        )
        for computer in found[:_MOST]
    ]


def find_groups(reach: Reach, organization: Organization | None, text: str) -> Sequence[SearchHit]:
    """Computer groups of the organizations in reach whose name contains the text. At most 8."""
    if not reach.can_anywhere(Capability.COMPUTER_READ):
        return ()
    found = queries.groups(reach, organization.id if organization else None).filter(name__icontains=text)
    own = found.filter(organization_id__in=reach.organizations)
    return [
        SearchHit(
            group.name,
            "Computer groups",
            reverse("tenants:group-detail", args=[group.organization.slug, group.id]),
            group.organization.name,
        )
        for group in own[:_MOST]
    ]
