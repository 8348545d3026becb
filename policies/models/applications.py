"""Applications and their file rules: what a policy permits or denies."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from portal.tenants.models import NumberField, OperatingSystem, Organization
from portal.tenants.scoping import TenantModel

PATTERN_CHARACTERS = 2048
CONDITION_LABELS = {
    "path": "Path",
    "process": "Process",
    "created_by": "Created By",
    "certificate": "Signer",
    "hash": "Hash",
}


class Kind(models.TextChoices):
    BUILTIN = "builtin", "Built-in"
    CUSTOM = "custom", "Custom"


class Category(models.TextChoices):
    ACCOUNTING = "accounting", "Accounting and finance"
    BACKUP = "backup", "Backup and recovery"
    BROWSER = "browser", "Browsers"
    CLOUD_STORAGE = "cloud_storage", "Cloud storage and sync"
    COMMUNICATION = "communication", "Communication and meetings"
    DATABASE = "database", "Databases"
    DESIGN = "design", "Design, CAD and media work"
    DEVELOPMENT = "development", "Development"
    DOCUMENTS = "documents", "Documents and PDF"
    DRIVER = "driver", "Drivers and hardware tools"
    FILE_TOOLS = "file_tools", "Archives and file tools"
    INDUSTRY = "industry", "Industry software"
    MEDIA = "media", "Media players"
    NETWORK = "network", "Network and VPN"
    OFFICE = "office", "Office suites"
    OPERATING_SYSTEM = "operating_system", "Operating system"
    REMOTE_SUPPORT = "remote_support", "Remote support"
    RMM = "rmm", "RMM agents"
    RUNTIME = "runtime", "Runtimes and frameworks"
    SALES = "sales", "Sales and documents to sign"
    SECURITY = "security", "Security"
    UTILITY = "utility", "Utilities"
    VIRTUALIZATION = "virtualization", "Virtualization and containers"


class Application(TenantModel):
    """A named set of file rules. Built-in: of the catalogue, without organization, read-only, seen by all.
    Custom: of one organization, seen by it and everything beneath."""

    shared_down: ClassVar[Q | None] = Q()
    public_when_null: ClassVar[bool] = True

    number = NumberField(sequence="policies_application_number")
    organization = models.ForeignKey(Organization, models.PROTECT, null=True, blank=True, related_name="applications")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.CUSTOM)
    os = models.CharField(max_length=8, choices=OperatingSystem.choices, default=OperatingSystem.WINDOWS)
    name = models.CharField(max_length=120)
    publisher = models.CharField(max_length=120, blank=True, default="")
    description = models.TextField(max_length=2000, blank=True, default="")
    source = models.TextField(blank=True, default="")
    category = models.CharField(max_length=20, choices=Category.choices, blank=True, default="")
    risk = models.TextField(max_length=1000, blank=True, default="")
    suggested_ringfence = models.JSONField(null=True, blank=True)
    hidden = models.BooleanField(default=False)
    catalogue_key = models.SlugField(max_length=80, null=True, blank=True, unique=True)
    catalogue_version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=Kind.BUILTIN, organization__isnull=True, catalogue_key__isnull=False)
                | Q(kind=Kind.CUSTOM, organization__isnull=False, catalogue_key__isnull=True),
                name="application_builtin_or_owned",
            ),
            models.UniqueConstraint("organization", Lower("name"), name="application_name_unique"),
            models.UniqueConstraint(
                Lower("name"), condition=Q(organization__isnull=True), name="application_builtin_name_unique"
            ),
            models.UniqueConstraint(fields=("organization", "id"), name="application_tenant_key"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_builtin(self) -> bool:
        return self.kind == Kind.BUILTIN


class FileRule(TenantModel):
    """Conditions joined by AND; an empty box is not looked at. `position` numbers an application's rules from 1."""

    shared_down: ClassVar[Q | None] = Q()
    public_when_null: ClassVar[bool] = True

    organization = models.ForeignKey(Organization, models.PROTECT, null=True, blank=True, related_name="file_rules")
    application = models.ForeignKey(Application, models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField()
    hash = models.CharField(max_length=64, blank=True, default="")
    path = models.CharField(max_length=PATTERN_CHARACTERS, blank=True, default="")
    process = models.CharField(max_length=PATTERN_CHARACTERS, blank=True, default="")
    created_by = models.CharField(max_length=PATTERN_CHARACTERS, blank=True, default="")
    certificate = models.CharField(max_length=PATTERN_CHARACTERS, blank=True, default="")
    note = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("position", "id")
        indexes = [models.Index(fields=("hash",), name="filerule_by_hash", condition=~Q(hash=""))]
        constraints = [
            models.CheckConstraint(
                condition=~Q(hash="", path="", process="", created_by="", certificate=""),
                name="filerule_has_a_condition",
            ),
            models.CheckConstraint(condition=Q(hash__regex=r"^([0-9a-f]{64})?$"), name="filerule_hash_is_sha256"),
            models.UniqueConstraint(
                fields=("application", "position"),
                name="filerule_position_unique",
                deferrable=models.Deferrable.IMMEDIATE,
            ),
        ]

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """(label, text) of the boxes that are filled in, in the order in which people read them."""
        boxes = [(label, str(getattr(self, name))) for name, label in CONDITION_LABELS.items()]
        return [(label, text) for label, text in boxes if text]

    def __str__(self) -> str:
        return self.path or self.hash or self.certificate or self.process or self.created_by
