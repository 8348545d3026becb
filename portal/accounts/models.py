"""People, their roles, and API tokens. These tables carry no tenant's data of their own kind: a person may
belong to several organizations, and what they reach is told by `portal.accounts.reaches`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from portal.common.uuid7 import uuid7
from portal.tenants.models import Organization
from portal.tenants.scoping import TenantModel


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person who signs in with an e-mail address. Disabled people (`is_active` false) have no session and
    no token.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    time_zone = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        ordering = ("name", "id")
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        words = (self.name or self.email).split()
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


class Role(models.TextChoices):
    OWNER = "owner", "MSP owner"
    TECHNICIAN = "technician", "MSP technician"
    APPROVER = "approver", "MSP approver"
    CUSTOMER_ADMIN = "customer_admin", "Customer admin"
    CUSTOMER_READER = "customer_reader", "Customer reader"


class Membership(TenantModel):
    """A role of one person at one organization; it holds for everything beneath that organization too."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    may_act_globally = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("organization", "user"), name="one_role_per_organization")]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()}"


class ApiToken(TenantModel):
    """A secret for scripts: a subset of its creator's capabilities and organizations, with an end date.

    Stored as SHA-256; `prefix` (the first characters of the secret) finds a leaked one. `organizations` are
    the topmost ones it may touch: it reaches what lies beneath them too, as far as its creator still does.
    `organization` is the first of them: whose people see the token, and whose System Audit tells about it.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="api_tokens")
    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    secret_sha256 = models.BinaryField(max_length=32)
    organizations = ArrayField(models.UUIDField(), default=list)
    capabilities = ArrayField(models.CharField(max_length=40))
    made_with = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="made")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_live(self, now: datetime) -> bool:
        """Not revoked, not past its end, and its creator not disabled."""
        return self.revoked_at is None and self.expires_at > now and self.user.is_active


class Invitation(TenantModel):
    """A one-time link with which a person sets a password: the first one, or a new one after losing it.

    Made by somebody who may change people at `organization`. Stored as SHA-256, ends after three days.
    """

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    user = models.ForeignKey(User, models.CASCADE, related_name="invitations")
    secret_sha256 = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Invitation of {self.user}"
