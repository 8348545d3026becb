"""Presses of *Deploy Policies*, and what became of each computer. These rows are the truth; queue messages wake."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.models.bundles import Manifest
from policies.models import Level
from portal.tenants.models import Computer, NumberField, Organization
from portal.tenants.scoping import TenantModel


class DeploymentState(models.TextChoices):
    ROLLING = "rolling", "Rolling"
    SUCCEEDED = "succeeded", "Succeeded"
    PARTLY_FAILED = "partly_failed", "Partly failed"
    CANCELLED = "cancelled", "Cancelled"
    SUPERSEDED = "superseded", "Superseded"
    FAILED = "failed", "Failed"


class TargetState(models.TextChoices):
    PENDING = "pending", "Waiting"
    BUILT = "built", "Built"
    OFFERED = "offered", "Sent"
    APPLIED = "applied", "Live"
    REFUSED = "refused", "Refused"
    UNREACHABLE = "unreachable", "Unreachable"
    SUPERSEDED = "superseded", "Superseded"
    CANCELLED = "cancelled", "Cancelled"


UNFINISHED = (TargetState.PENDING, TargetState.BUILT, TargetState.OFFERED)


class Deployment(TenantModel):
    """One press: a scope, who pressed, and when it must be over. `number` is the D-number people speak of.

    Belongs to the organization whose page started it (a global one: the MSP). `restores`: this deployment
    gives the computers back what they ran before that deployment.
    """

    number = NumberField(sequence="agents_deployment_number")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="deployments")
    level = models.CharField(max_length=12, choices=Level.choices)
    target_id = models.UUIDField()
    target_name = models.CharField(max_length=200)
    note = models.CharField(max_length=500, blank=True, default="")
    state = models.CharField(max_length=16, choices=DeploymentState.choices, default=DeploymentState.ROLLING)
    actor_id = models.CharField(max_length=64, blank=True, default="")
    actor_name = models.CharField(max_length=200, blank=True, default="")
    started_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    superseded_by = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")
    restores = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ("-started_at", "-id")
        indexes = [
            models.Index(fields=("organization", "-started_at", "-id"), name="deployment_newest"),
            models.Index(fields=("state",), condition=Q(state="rolling"), name="deployment_rolling"),
        ]

    def __str__(self) -> str:
        return f"D-{self.number}"


class DeploymentTarget(TenantModel):
    """One computer of one deployment, in the computer's own organization.

    pending → built (a signed manifest exists) → offered (a signed checkpoint that names it was handed out) →
    applied | refused | unreachable | superseded | cancelled. `lease`/`lease_until`: which worker is building it, so
    that two workers never do; when the lease has passed, any may. `restore`: the manifest whose content is wanted
    back; null: what is saved now.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="targets")
    computer = models.ForeignKey(Computer, models.CASCADE, related_name="deployment_targets")
    state = models.CharField(max_length=12, choices=TargetState.choices, default=TargetState.PENDING)
    manifest = models.ForeignKey(Manifest, models.SET_NULL, null=True, related_name="targets")
    restore = models.ForeignKey(Manifest, models.SET_NULL, null=True, related_name="+")
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=512, blank=True, default="")
    built_at = models.DateTimeField(null=True)
    offered_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=("deployment", "computer"), name="one_target_per_computer"),
        ]
        indexes = [
            models.Index(
                fields=("computer",), condition=Q(state__in=["pending", "built", "offered"]), name="target_unfinished"
            ),
            models.Index(fields=("deployment", "id"), condition=Q(state="pending"), name="target_to_build"),
            models.Index(fields=("organization", "deployment"), name="target_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.computer_id} {self.state}"


class PeriodicJob(models.Model):
    """When a periodic job ran last. No tenant's data: it tells whether the scheduler is alive."""

    name = models.CharField(max_length=40, primary_key=True)
    ran_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
