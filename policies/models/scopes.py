"""The scope of a policy or an agent setting: one level and exactly one target."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import BaseConstraint, F, Q

from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.scoping import TenantModel


class Level(models.TextChoices):
    GLOBAL = "global", "Global"
    ORGANIZATION = "organization", "Organization"
    GROUP = "group", "Group"
    COMPUTER = "computer", "Computer"


class AtScope(TenantModel):
    """A row that stands at one scope of its organization.

    The target is the organization itself, one of its groups or one of its computers. At level global it is a
    global group, or the organization at the top of the tree (the whole MSP). Rows of level global are readable
    by every organization beneath.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    level = models.CharField(max_length=12, choices=Level.choices)
    target_organization = models.ForeignKey(Organization, models.PROTECT, null=True, blank=True, related_name="+")
    target_group = models.ForeignKey(ComputerGroup, models.CASCADE, null=True, blank=True, related_name="+")
    target_computer = models.ForeignKey(Computer, models.CASCADE, null=True, blank=True, related_name="+")

    shared_down: ClassVar[Q | None] = Q(level=Level.GLOBAL)

    class Meta:
        abstract = True

    @property
    def target_id(self) -> UUID:
        """The id of the organization, group or computer this row stands at."""
        found = self.target_organization_id or self.target_group_id or self.target_computer_id
        if found is None:
            raise ValueError("A row at a scope has a target.")
        return found

    @property
    def target_name(self) -> str:
        """What people call the target."""
        return str(self.target_organization or self.target_group or self.target_computer)


def one_target(noun: str) -> list[BaseConstraint]:
    """The CHECK that a row has exactly the target its level asks for."""
    at_organization = Q(  # `isnull` is said as well: a CHECK that comes out as NULL lets the row in
        target_organization__isnull=False,
        target_organization=F("organization"),
        target_group__isnull=True,
        target_computer__isnull=True,
    )
    at_group = Q(target_organization__isnull=True, target_group__isnull=False, target_computer__isnull=True)
    at_computer = Q(target_organization__isnull=True, target_group__isnull=True, target_computer__isnull=False)
    fits = (
        Q(level=Level.GLOBAL) & (at_organization | at_group)
        | Q(level=Level.ORGANIZATION) & at_organization
        | Q(level=Level.GROUP) & at_group
        | Q(level=Level.COMPUTER) & at_computer
    )
    return [models.CheckConstraint(condition=fits, name=f"{noun}_has_one_target")]


def unique_orders(noun: str, *more: str) -> list[BaseConstraint]:
    """No two rows of one scope target share an order. Checked at the end of each statement, so that one
    statement can renumber a list."""
    targets = (("level", "target_organization"), ("target_group",), ("target_computer",))
    return [
        models.UniqueConstraint(
            fields=(*fields, *more, "order"),
            name=f"{noun}_order_unique_{fields[-1].removeprefix('target_')}",
            deferrable=models.Deferrable.IMMEDIATE,
        )
        for fields in targets
    ]
