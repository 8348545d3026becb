"""What each computer must enforce: content-addressed blobs, signed manifests, and what it says that it runs."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from portal.tenants.models import Computer, Mode, Organization
from portal.tenants.scoping import TenantModel


class Blob(TenantModel):
    """One compiled layer or application, named by the SHA-256 of its bytes. Never changes.

    Kept once per organization whose computers need it: so row-level security covers the bytes themselves, and
    a tenant's data is all under the tenant's id. A computer gets a blob only if its own manifest names it.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    data = models.BinaryField()
    size = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=("organization", "digest"), name="blob_once_per_tenant")]

    def __str__(self) -> str:
        return self.digest[:12]


class Manifest(TenantModel):
    """One signed version of one computer's bundle. `(epoch, version)` only rises; a row never changes.

    `sha256` is that of the signed payload: the *bundle hash* of screens and acknowledgements. `content_sha256`
    covers only what the computer must enforce, so equal content makes no new version. `mode`, `mode_ends_at`,
    `mode_after` and `group_id` repeat what was signed, so that the sweep finds computers for which something
    else holds now.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    computer = models.ForeignKey(Computer, models.CASCADE, related_name="manifests")
    epoch = models.PositiveIntegerField(default=1)
    version = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveIntegerField()
    content_sha256 = models.CharField(max_length=64)
    envelope = models.BinaryField()
    layers = ArrayField(models.CharField(max_length=64))
    mode = models.CharField(max_length=12, choices=Mode.choices)
    mode_ends_at = models.DateTimeField(null=True)
    mode_after = models.CharField(max_length=12, choices=Mode.choices, default=Mode.SECURED)
    group_id = models.UUIDField()
    deployment_id = models.UUIDField(null=True)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-epoch", "-version", "-id")
        constraints = [
            models.UniqueConstraint(fields=("computer", "epoch", "version"), name="manifest_version_unique"),
        ]

    def __str__(self) -> str:
        return f"v{self.version}"


class Delivery(TenantModel):
    """How far one computer has come: the newest manifest made for it, and what it proved that it runs.

    `running_*` come only from requests signed with the computer's own key. `is_behind`: the newest manifest
    is newer than what runs; kept beside both so that it can be counted. `drift`: it says that it runs
    something the portal never signed for it. `rebuild_due_at`: since when a bundle is owed (enrolled, moved), or
    until when a worker that builds it holds it; null: none is owed.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    computer = models.OneToOneField(Computer, models.CASCADE, related_name="delivery")
    current = models.ForeignKey(Manifest, models.SET_NULL, null=True, related_name="+")
    running_epoch = models.PositiveIntegerField(default=0)
    running_version = models.BigIntegerField(default=0)
    running_sha256 = models.CharField(max_length=64, blank=True, default="")
    running_since = models.DateTimeField(null=True)
    refused_version = models.BigIntegerField(default=0)
    refused_reason = models.CharField(max_length=512, blank=True, default="")
    is_behind = models.BooleanField(default=False)
    drift = models.BooleanField(default=False)
    rebuild_due_at = models.DateTimeField(null=True)
    heartbeat = models.JSONField(default=dict)
    reported_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("computer_id",)
        indexes = [
            models.Index(
                fields=("rebuild_due_at",),
                condition=models.Q(rebuild_due_at__isnull=False),
                name="delivery_rebuild_due",
            ),
            models.Index(
                fields=("organization",),
                condition=models.Q(is_behind=True) | models.Q(drift=True),
                name="delivery_not_in_sync",
            ),
        ]

    def __str__(self) -> str:
        return f"runs v{self.running_version}" if self.running_version else "runs nothing yet"
