"""Organizations, computer groups, computers, and the System Audit. They stand below policies because the four
scopes of a policy (global, organization, group, computer) must."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Lower

from portal.common.uuid7 import uuid7
from portal.tenants.scoping import Scoped, TenantModel


class NumberField(models.BigIntegerField):  # type: ignore[type-arg]
    """A small number that the database counts up: what narrow audit rows carry instead of a UUID."""

    def __init__(self, *, sequence: str, **kwargs: object) -> None:
        self.sequence = sequence
        kwargs.update(unique=True, editable=False, db_default=Func(Value(sequence), function="nextval"))
        super().__init__(**kwargs)  # type: ignore[arg-type]

    def deconstruct(self) -> tuple[str, str, list[object], dict[str, object]]:
        name, path, args, kwargs = super().deconstruct()
        for key in ("unique", "editable", "db_default"):
            kwargs.pop(key, None)
        return name, path, list(args), {**kwargs, "sequence": self.sequence}

    @property
    def db_returning(self) -> bool:
        return True


class OperatingSystem(models.TextChoices):
    WINDOWS = "windows", "Windows"
    MACOS = "macos", "macOS"
    LINUX = "linux", "Linux"


class Mode(models.TextChoices):
    SECURED = "secured", "Secured"
    LEARNING = "learning", "Learning"
    INSTALLATION = "installation", "Installation"
    MONITOR_ONLY = "monitor_only", "Monitor only"


class Color(models.TextChoices):
    """The fixed list of organization colours: the content security policy allows no inline style."""

    TEAL = "teal"
    PLUM = "plum"
    MOSS = "moss"
    RUST = "rust"
    NAVY = "navy"
    ROSE = "rose"
    SAND = "sand"
    IRON = "iron"


class Organization(TenantModel):
    """A tenant. The MSP is the root; its customers are beneath it, in a tree of any depth."""

    organization_path: ClassVar[str] = "id"
    shared_down: ClassVar[Q | None] = Q()

    number = NumberField(sequence="tenants_organization_number")
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    color = models.CharField(max_length=8, choices=Color.choices, default=Color.TEAL)
    time_zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(condition=~Q(parent=F("id")), name="organization_not_its_own_parent"),
            models.UniqueConstraint(Lower("name"), "parent", name="organization_name_unique_among_siblings"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        words = [word for word in self.name.split() if word[0].isalnum()] or ["?"]
        return (words[0][0] + (words[1][0] if len(words) > 1 else "")).upper()


class ComputerGroup(TenantModel):
    """Computers of one organization that share policies; or, by flag, a *global group* that holds, by rule,
    the computers of every organization beneath: all of one operating system, or those whose own group's name
    begins with `name_prefix`. A *template* holds no computer, ever (a trigger keeps it): what stands in it is copied.
    """

    shared_down: ClassVar[Q | None] = Q(is_global=True)

    number = NumberField(sequence="tenants_computergroup_number")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="groups")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60)
    os = models.CharField(max_length=8, choices=OperatingSystem.choices, default=OperatingSystem.WINDOWS)
    is_global = models.BooleanField(default=False)
    name_prefix = models.CharField(max_length=120, blank=True, default="")
    is_template = models.BooleanField(default=False)
    initial_learning_days = models.PositiveSmallIntegerField(default=21)
    mode = models.CharField(max_length=12, choices=Mode.choices, default=Mode.SECURED)
    mode_ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(fields=("organization", "slug"), name="group_slug_unique"),
            models.UniqueConstraint("organization", Lower("name"), name="group_name_unique"),
            models.UniqueConstraint(fields=("organization", "id"), name="group_tenant_key"),
            models.CheckConstraint(
                condition=Q(is_global=True) | Q(name_prefix=""), name="only_global_groups_have_a_prefix"
            ),
            models.CheckConstraint(
                condition=~Q(is_global=True, is_template=True), name="no_global_group_is_a_template"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Computer(TenantModel):
    """A machine. The agent is the program on it. In exactly one computer group of its own organization."""

    number = NumberField(sequence="tenants_computer_number")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="computers")
    group = models.ForeignKey(ComputerGroup, models.PROTECT, related_name="computers")
    name = models.CharField(max_length=120)
    machine_id = models.CharField(max_length=128)
    os = models.CharField(max_length=8, choices=OperatingSystem.choices)
    os_version = models.CharField(max_length=120, blank=True, default="")
    agent_version = models.CharField(max_length=40, blank=True, default="")
    is_simulated = models.BooleanField(default=False)
    last_user = models.CharField(max_length=256, blank=True, default="")
    last_seen_at = models.DateTimeField(null=True, blank=True)
    clock_skew_ms = models.BigIntegerField(default=0)
    mode = models.CharField(max_length=12, choices=Mode.choices, default=Mode.SECURED)
    mode_ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        indexes = [models.Index(fields=("organization", "name"), name="computer_by_name")]
        constraints = [
            models.UniqueConstraint(fields=("organization", "machine_id"), name="computer_machine_unique"),
            models.UniqueConstraint(fields=("organization", "id"), name="computer_tenant_key"),
        ]

    def __str__(self) -> str:
        return self.name


class Entry(models.Model):
    """One entry of the System Audit: who did what in the portal. Append-only, hash-chained per organization.

    `organization_id` and the actor are plain values, not foreign keys: an entry outlives what it tells about.
    """

    shared_down: ClassVar[Q | None] = None
    organization_path: ClassVar[str] = "organization_id"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization_id = models.UUIDField()
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=12)
    actor_id = models.CharField(max_length=64, blank=True, default="")
    actor_name = models.CharField(max_length=200, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    verb = models.CharField(max_length=64)
    target_type = models.CharField(max_length=40, blank=True, default="")
    target_id = models.CharField(max_length=64, blank=True, default="")
    target_name = models.CharField(max_length=300, blank=True, default="")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    details = models.JSONField(default=dict)
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    rows: ClassVar[models.Manager[Self]] = models.Manager()
    objects: ClassVar[Scoped[Self]] = Scoped()

    class Meta:
        verbose_name_plural = "entries"
        ordering = ("-at", "-id")
        constraints = [models.UniqueConstraint(fields=("organization_id", "sequence"), name="entry_sequence_unique")]
        indexes = [
            models.Index(fields=("organization_id", "-at", "-id"), name="entry_newest"),
            models.Index(fields=("target_id", "-at"), name="entry_of_target"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.target_name}"
