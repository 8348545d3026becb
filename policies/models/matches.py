"""How often policies and file rules decided, per organization and day: written by the audit's fold, read by lists."""

from __future__ import annotations

from django.db import models

from portal.tenants.models import Organization
from portal.tenants.scoping import TenantModel


class MatchCount(TenantModel):
    """One policy (and the rule that made it match) on one UTC day in one organization, the one whose computers saw it.

    Ids are plain values: a count outlives what it counts. `application` and `rule` are null where a default decided.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    day = models.DateField()
    policy = models.UUIDField()
    application = models.UUIDField(null=True, blank=True)
    rule = models.UUIDField(null=True, blank=True)
    count = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        ordering = ("-day", "id")
        indexes = [
            models.Index(fields=("policy", "organization", "day"), name="match_of_policy"),
            models.Index(
                fields=("rule", "organization", "day"), name="match_of_rule", condition=models.Q(rule__isnull=False)
            ),
            models.Index(
                fields=("application", "organization", "day"),
                name="match_of_application",
                condition=models.Q(application__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=("organization", "day", "policy", "application", "rule"),
                name="match_once_a_day",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.policy} on {self.day}: {self.count}"
