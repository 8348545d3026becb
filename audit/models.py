"""Approval requests: somebody at a computer asks for something that was stopped.

Events and what belongs to them are no models: their tables are made for COPY, partitions and narrow rows (see
migrations/sql and docs/decisions), and are read through `audit.search`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from policies.models import Policy
from portal.tenants.models import Computer, Organization
from portal.tenants.scoping import TenantModel


class RequestState(models.TextChoices):
    PENDING = "pending", "Pending"
    APPROVED = "approved", "Approved"
    DENIED = "denied", "Denied"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ApprovalRequest(TenantModel):
    """One request, with the facts of what was stopped as its computer told them (in stored form).

    `event` is the id of the event it is about, empty until that event has arrived. `answer` is written for the person
    who asked. `policy` is the policy that an approval made or used.
    """

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="approval_requests")
    computer = models.ForeignKey(Computer, models.CASCADE, related_name="approval_requests")
    state = models.CharField(max_length=10, choices=RequestState.choices, default=RequestState.PENDING)
    user = models.CharField(max_length=512, blank=True, default="")
    reason = models.TextField(max_length=2000, blank=True, default="")
    action_type = models.CharField(max_length=40, default="execute")
    path = models.TextField(blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    certificate = models.TextField(blank=True, default="")
    process = models.TextField(blank=True, default="")
    created_by = models.TextField(blank=True, default="")
    command_line = models.TextField(blank=True, default="")
    denied_by = models.CharField(max_length=64, blank=True, default="")
    event_sequence = models.BigIntegerField(null=True, blank=True)
    occurred_at = models.DateTimeField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=200, blank=True, default="")
    decision_reason = models.CharField(max_length=1000, blank=True, default="")
    answer = models.CharField(max_length=1000, blank=True, default="")
    policy = models.ForeignKey(Policy, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [
            models.Index(fields=("organization", "-created_at", "-id"), name="request_newest"),
            models.Index(fields=("expires_at",), name="request_pending", condition=Q(state=RequestState.PENDING)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state=RequestState.PENDING, decided_at__isnull=True)
                | ~Q(state=RequestState.PENDING) & Q(decided_at__isnull=False),
                name="request_decided_has_its_time",
            )
        ]

    def __str__(self) -> str:
        return self.path or self.sha256 or "something without a name"
