"""What was done in one step and may be taken back in one: enough is kept to put it all back."""

from __future__ import annotations

from django.db import models

from portal.tenants.models import Organization
from portal.tenants.scoping import TenantModel


class UndoStep(TenantModel):
    """One step that can be undone once. `payload` is what its kind's reversal reads: what was, and what it became.

    `kind` names the reversal in `policies.undoing`, past tense like a journal verb: `policies.renumbered`.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=64)
    summary = models.CharField(max_length=300)
    payload = models.JSONField()
    actor_id = models.CharField(max_length=64, blank=True, default="")
    actor_name = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=("organization", "-created_at", "-id"), name="undo_newest")]

    def __str__(self) -> str:
        return self.summary
