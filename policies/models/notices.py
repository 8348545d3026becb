"""Who is still to be told that a deny stopped something: one row per policy and person, the truth behind each mail."""

from __future__ import annotations

from django.db import models

from policies.models.policies import Policy
from portal.tenants.models import Organization
from portal.tenants.scoping import TenantModel


class Notice(TenantModel):
    """What one person has and has not been told about one policy. Carries the policy's organization.

    `waiting`: stopped actions nobody has told them yet, since `waiting_since`, the newest at `last_at`. `due_at`: when
    the next mail may go out, null while nothing waits. `told_at`, `told_count`: of the last mail that was sent.
    `tries` and `failure`: of the mail that could not be sent yet; zero and empty when all went well.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    policy = models.ForeignKey(Policy, models.CASCADE, related_name="notices")
    email = models.EmailField(max_length=254)
    waiting = models.PositiveBigIntegerField(default=0)
    waiting_since = models.DateTimeField(null=True, blank=True)
    last_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    told_count = models.PositiveBigIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ("email", "id")
        indexes = [
            models.Index(fields=("due_at",), name="notice_due", condition=models.Q(due_at__isnull=False)),
        ]
        constraints = [models.UniqueConstraint(fields=("policy", "email"), name="notice_once_per_person")]

    def __str__(self) -> str:
        return f"{self.email}: {self.waiting}"
