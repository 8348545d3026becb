"""What was saved and changes some bundle: the pending-changes bar and Deploy Policies read it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from policies.models.scopes import Level
from portal.tenants.models import NumberField, Organization
from portal.tenants.scoping import TenantModel


class Change(TenantModel):
    """One saved thing that changes some bundle. Pending while `deployment_id` is null.

    `level` and `target` tell where it takes effect; they and `object_id` are plain values, since a change
    outlives what it tells about. `number` rises with every change of any organization.
    """

    number = NumberField(sequence="policies_change_number")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    level = models.CharField(max_length=12, choices=Level.choices)
    target = models.UUIDField()
    verb = models.CharField(max_length=64)
    summary = models.CharField(max_length=300)
    object_type = models.CharField(max_length=40)
    object_id = models.UUIDField()
    actor_kind = models.CharField(max_length=12, blank=True, default="")
    actor_id = models.CharField(max_length=64, blank=True, default="")
    actor_name = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    deployment_id = models.UUIDField(null=True, blank=True)

    class Meta:
        ordering = ("-number",)
        indexes = [
            models.Index(
                fields=("organization", "-number"), name="change_pending", condition=Q(deployment_id__isnull=True)
            ),
            models.Index(fields=("deployment_id",), name="change_of_deployment"),
        ]

    def __str__(self) -> str:
        return self.summary


class Revision(TenantModel):
    """The number of the last change that touches an organization's bundles from within it. Never falls."""

    shared_down: ClassVar[Q | None] = Q()

    organization = models.OneToOneField(Organization, models.CASCADE, related_name="+")
    number = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.organization_id}: {self.number}"
