"""What needs somebody now: the numbers that the apps registered, asked one by one, so that one failing or slow
source leaves the others standing. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Count
from django.utils.text import slugify

from portal.common.registry import (
    CardValue,
    DashboardCard,
    OrganizationColumn,
    dashboard_cards,
    organization_columns,
)
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach

ATTENTION = {"deny": 1000, "ask": 100, "pending": 10, "live": 0, "none": 0}


@dataclass(frozen=True, slots=True)
class NamedCard:
    """A card with the name under which it is fetched; `value` stays None until it is read."""

    name: str
    label: str
    value: CardValue | None = None


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """One line of the organizations table: its numbers in the order of `columns()`."""

    organization: Organization
    computers: int
    labels: Sequence[str] = ()
    cells: Sequence[CardValue] = field(default_factory=tuple)

    @property
    def attention(self) -> int:
        """Higher comes first: by how serious its numbers are, then by how large."""
        return sum(ATTENTION.get(cell.tone, 0) + min(cell.number, 9) for cell in self.cells if cell.number)

    @property
    def first_thing(self) -> CardValue | None:
        """The first number, in the order of the columns, that asks for somebody; its note begins with what it is."""
        for label, cell in zip(self.labels, self.cells, strict=True):
            if cell.number and ATTENTION.get(cell.tone, 0):
                return replace(cell, note=", ".join(filter(None, (f"{label}: {cell.number:,}", cell.note))))
        return None


def cards(reach: Reach, organization: Organization | None) -> list[NamedCard]:
    """The cards that this person may see here, in their order, not read yet."""
    return [NamedCard(slugify(c.label), c.label) for c in dashboard_cards if _may(reach, organization, c)]


def card(reach: Reach, organization: Organization | None, name: str) -> NamedCard | None:
    """One card with its value, or None when there is no such card for this person here."""
    for found in dashboard_cards:
        if slugify(found.label) == name and _may(reach, organization, found):
            return NamedCard(name, found.label, found.read(reach, organization))
    return None


def columns(reach: Reach) -> list[OrganizationColumn]:
    """The numbers of one organization that the apps offer, which this person may see somewhere."""
    return [column for column in organization_columns if reach.can_anywhere(Capability(column.capability))]


def organization_rows(reach: Reach) -> list[OrganizationRow]:
    """Every organization in reach with its numbers, by attention. Two statements, and one a column."""
    counts = _computer_counts(reach)
    offered = columns(reach)
    read = [column.read(reach) for column in offered]
    rows = [
        OrganizationRow(
            organization,
            counts.get(organization.id, 0),
            [column.label for column in offered],
            [values.get(organization.id, CardValue(0)) for values in read],
        )
        for organization in queries.organizations(reach)
    ]
    return sorted(rows, key=lambda row: (-row.attention, row.organization.name))


def _computer_counts(reach: Reach) -> dict[Any, int]:
    counted = Computer.objects.within(reach).values("organization_id").annotate(number=Count("id")).order_by()
    return {row["organization_id"]: row["number"] for row in counted}


def _may(reach: Reach, organization: Organization | None, card: DashboardCard) -> bool:
    capability = Capability(card.capability)
    return reach.can(capability, organization.id) if organization else reach.can_anywhere(capability)
