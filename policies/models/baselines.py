"""Baselines: policies kept in one place, followed by many organizations, with exceptions that are looked at again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from policies.models.scopes import Level
from portal.tenants.models import ComputerGroup, OperatingSystem, Organization
from portal.tenants.scoping import TenantModel


class Baseline(TenantModel):
    """Policies of one operating system that organizations beneath follow.

    They are written in `source_group`, a template: a group that never holds a computer. What followers get is a
    published version of them. `version` is the newest, 0 before the first. `group_name`: followers have it at their
    group of this name; empty: at the organization. `new_customers`: every organization that comes follows by itself.
    The database shows it to the organizations beneath that follow it, and to no other.
    """

    shared_down: ClassVar[Q | None] = Q()

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="baselines")
    name = models.CharField(max_length=120)
    description = models.TextField(max_length=2000, blank=True, default="")
    os = models.CharField(max_length=8, choices=OperatingSystem.choices, default=OperatingSystem.WINDOWS)
    source_group = models.OneToOneField(ComputerGroup, models.PROTECT, related_name="+")
    group_name = models.CharField(max_length=120, blank=True, default="")
    new_customers = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint("organization", Lower("name"), name="baseline_name_unique")]

    def __str__(self) -> str:
        return self.name


class BaselineVersion(TenantModel):
    """What a baseline said when it was published: never changed afterwards.

    `policies`: in their order, `{"source", "order", "kind", "columns", "applications", "application_names"}` each.
    """

    shared_down: ClassVar[Q | None] = Q()

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    baseline = models.ForeignKey(Baseline, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    policies = models.JSONField()
    note = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("-number",)
        constraints = [models.UniqueConstraint(fields=("baseline", "number"), name="baselineversion_number_unique")]

    def __str__(self) -> str:
        return f"{self.baseline_id} v{self.number}"


class Subscription(TenantModel):
    """That an organization follows a baseline, at the organization or at one of its groups.

    `version` is what it has; `wanted` what it shall have: a worker brings it there. `fault`: why it could not.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="subscriptions")
    baseline = models.ForeignKey(Baseline, models.PROTECT, related_name="subscriptions")
    target_group = models.ForeignKey(ComputerGroup, models.CASCADE, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField(default=0)
    wanted = models.PositiveIntegerField(default=0)
    fault = models.CharField(max_length=300, blank=True, default="")
    carried_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("organization__name", "id")
        indexes = [
            models.Index(
                fields=("baseline",), name="subscription_waits", condition=Q(wanted__gt=F("version"), fault="")
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("baseline", "organization", "target_group"), name="subscription_once", nulls_distinct=False
            )
        ]

    @property
    def scope_columns(self) -> dict[str, object]:
        """The columns of the policies that it brings."""
        at_group = self.target_group_id is not None
        return {
            "organization_id": self.organization_id,
            "level": Level.GROUP if at_group else Level.ORGANIZATION,
            "target_organization_id": None if at_group else self.organization_id,
            "target_group_id": self.target_group_id,
            "target_computer_id": None,
        }

    def __str__(self) -> str:
        return f"{self.organization_id} follows {self.baseline_id}"


class ExceptionKind(models.TextChoices):
    WITHOUT = "without", "Left out"
    CHANGED = "changed", "Changed here"


class BaselineException(TenantModel):
    """That one follower has one policy of its baseline otherwise, why, and when somebody looks at it again.

    `source` is the id of the baseline's policy, a plain value that outlives it. `accepted`: the follower's policy as
    it was accepted (`columns`, `applications`); what differs from that later is drift. Open while `ended_at` is null.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="exceptions")
    source = models.UUIDField()
    name = models.CharField(max_length=160)
    kind = models.CharField(max_length=8, choices=ExceptionKind.choices)
    reason = models.CharField(max_length=1000)
    review_on = models.DateField()
    accepted = models.JSONField()
    version = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200, blank=True, default="")
    accepted_at = models.DateTimeField()
    accepted_by = models.CharField(max_length=200, blank=True, default="")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True, default="")
    end_note = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ("review_on", "id")
        indexes = [
            models.Index(fields=("organization", "review_on"), name="exception_due", condition=Q(ended_at__isnull=True))
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="baselineexception_has_a_reason"),
            models.UniqueConstraint(
                fields=("subscription", "source"), condition=Q(ended_at__isnull=True), name="baselineexception_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.name}"
