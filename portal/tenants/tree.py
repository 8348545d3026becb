"""The organizations in reach as a tree, with the numbers that the apps register for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count

from portal.common.registry import CardValue, OrganizationColumn, organization_columns
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Row:
    """One organization; `depth` counts the organizations above it that are in reach, too."""

    organization: Organization
    depth: int
    computers: int
    cells: Sequence[CardValue]

    @property
    def indent(self) -> str:
        """One em space a level: the content security policy allows no inline style."""
        return "\u2003" * self.depth


def in_order(reach: Reach) -> list[Organization]:
    """The organizations in reach, each before those beneath it, siblings by name."""
    return [organization for organization, _ in _walk(reach)]


def columns(reach: Reach) -> list[OrganizationColumn]:
    """The registered numbers that the actor may see somewhere, in their order."""
    return [column for column in organization_columns if reach.can_anywhere(Capability(column.capability))]


def organization_rows(reach: Reach) -> list[Row]:
    """The tree with its numbers, in the order of `columns`. Two statements, and one a column."""
    counted = Computer.objects.within(reach).values_list("organization_id").annotate(n=Count("id")).order_by()
    computers: dict[UUID, int] = dict(counted)
    read = [column.read(reach) for column in columns(reach)]
    return [
        Row(
            organization,
            depth,
            computers.get(organization.id, 0),
            [values.get(organization.id, CardValue(0)) for values in read],
        )
        for organization, depth in _walk(reach)
    ]


def _walk(reach: Reach) -> Iterator[tuple[Organization, int]]:
    found = list(queries.organizations(reach))
    known = {organization.id for organization in found}
    beneath: dict[UUID | None, list[Organization]] = defaultdict(list)
    for organization in found:
        beneath[organization.parent_id if organization.parent_id in known else None].append(organization)
    waiting = [(organization, 0) for organization in reversed(beneath[None])]
    while waiting:
        organization, depth = waiting.pop()
        yield organization, depth
        waiting += [(child, depth + 1) for child in reversed(beneath[organization.id])]
