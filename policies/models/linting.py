"""What lint found at an organization, kept until something changes; and what its people accept of it."""

from __future__ import annotations

from django.db import models

from portal.tenants.models import Organization
from portal.tenants.scoping import TenantModel


class LintResult(TenantModel):
    """The findings of one organization, as of `key`: the revisions of all that was read, and the day. A cache: it may
    be deleted at any time. `findings` holds at most so many of one code; `counts` says how many there are of each.
    """

    organization = models.OneToOneField(Organization, models.CASCADE, related_name="+")
    key = models.CharField(max_length=80)
    computed_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    rules = models.PositiveIntegerField()
    counts = models.JSONField()
    findings = models.JSONField()

    def __str__(self) -> str:
        return f"{self.organization_id} at {self.computed_at}"


class AcceptedFinding(TenantModel):
    """That an organization lives with a finding until `review_on`. `subject` is a plain value: it outlives nothing."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    code = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=12)
    subject = models.UUIDField()
    reason = models.CharField(max_length=500)
    review_on = models.DateField()
    accepted_at = models.DateTimeField()
    accepted_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("review_on", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("organization", "code", "subject_type", "subject"), name="finding_accepted_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} of {self.subject_type} {self.subject}"
