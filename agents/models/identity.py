"""Who may enroll, and by which key a computer is known afterwards."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.scoping import TenantModel


class InstallKey(TenantModel):
    """Lets computers enroll into one group, until it expires, is used up or is revoked.

    What a person copies is `<reference>.<secret>`; of the secret only its SHA-256 is kept. Revoking stops new
    enrolments and removes no computer. `max_uses` null: as often as wanted until it expires.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="install_keys")
    group = models.ForeignKey(ComputerGroup, models.CASCADE, related_name="install_keys")
    reference = models.CharField(max_length=24, unique=True)
    secret_sha256 = models.BinaryField(max_length=32)
    created_by = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    uses = models.PositiveIntegerField(default=0)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.CheckConstraint(
                condition=Q(max_uses=None) | Q(uses__lte=F("max_uses")), name="install_key_not_overused"
            ),
        ]

    def __str__(self) -> str:
        return f"install key {self.reference}"

    def is_used_up(self) -> bool:
        return self.max_uses is not None and self.uses >= self.max_uses

    def is_open(self, at: datetime) -> bool:
        """Whether a computer could enroll with it at that instant."""
        return self.revoked_at is None and self.expires_at > at and not self.is_used_up()


class KeyState(models.TextChoices):
    ACTIVE = "active", "Active"
    PENDING = "pending", "Waits for a technician"
    BANNED = "banned", "Banned"


class ComputerKey(TenantModel):
    """The public half of the key pair that was made on a computer. At most one of a computer's keys is active.

    `key_id` is derived from the public key. `last_sequence` only rises: a request with a lower or equal one is
    a replay. A banned key's row stays, so that the key can never enroll again.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="computer_keys")
    computer = models.ForeignKey(Computer, models.CASCADE, related_name="keys")
    key_id = models.CharField(max_length=32, unique=True)
    public_key = models.BinaryField(max_length=32)
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=KeyState.choices, default=KeyState.ACTIVE)
    last_sequence = models.BigIntegerField(default=0)
    address = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=("computer",), condition=Q(state="active"), name="one_active_key_per_computer"
            ),
        ]

    def __str__(self) -> str:
        return f"key {self.key_id[:12]}"


class AgentNonce(TenantModel):
    """A nonce that served an enrolment. The nonce itself is signed and needs no row; this row makes it single-use."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    sha256 = models.BinaryField(max_length=32, unique=True)
    used_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("-used_at", "-id")

    def __str__(self) -> str:
        return f"nonce used {self.used_at:%Y-%m-%d %H:%M:%S}"
