"""Updates of the built-in catalogue: what came, from where, and what was decided about it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from portal.tenants.models import Organization
from portal.tenants.scoping import TenantModel


class UpdateState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    APPLIED = "applied", "Applied"
    DISCARDED = "discarded", "Discarded"
    SUPERSEDED = "superseded", "Superseded"


class CatalogueUpdate(TenantModel):
    """A whole catalogue that differs from the one in force. Belongs to the organization at the top of the tree.

    `entries`: the catalogue as JSON, in the schema of `policies.builtin.loader`. `serial`: the feed's number, 0 for
    what came with a release. At most one waits.
    """

    class Source(models.TextChoices):
        SHIPPED = "shipped", "With this release"
        FEED = "feed", "Signed feed"

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    source = models.CharField(max_length=8, choices=Source.choices)
    serial = models.BigIntegerField(default=0)
    key_id = models.CharField(max_length=64, blank=True, default="")
    issued_at = models.DateTimeField(null=True, blank=True)
    sha256 = models.CharField(max_length=64)
    entries = models.BinaryField()
    state = models.CharField(max_length=12, choices=UpdateState.choices, default=UpdateState.WAITING)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=200, blank=True, default="")
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    retired = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=("organization",), condition=Q(state="waiting"), name="catalogueupdate_one_waits"
            ),
        ]

    def __str__(self) -> str:
        return f"Catalogue {self.serial}" if self.serial else "Catalogue of this release"
