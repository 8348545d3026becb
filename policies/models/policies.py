"""Policies: which applications may run at a scope, in an order of which the lowest wins."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import Exact

from policies.engine import ordering
from policies.models.applications import Application, Kind
from policies.models.scopes import AtScope, Level, one_target, unique_orders
from portal.common import clock
from portal.tenants.models import NumberField, Organization
from portal.tenants.scoping import TenantModel


class Action(models.TextChoices):
    PERMIT = "permit", "Permit"
    PERMIT_RINGFENCED = "permit_ringfenced", "Permit with ringfence"
    DENY = "deny", "Deny"


class Status(models.TextChoices):
    INHERIT = "inherit", "Inherit"
    SECURED = "secured", "Secured"
    MONITOR_ONLY = "monitor_only", "Monitor only"


def _order_in_its_range() -> Q:
    is_default = Q(is_default=True)
    return (
        is_default & Q(order=ordering.DEFAULT)
        | ~is_default & Q(kind=Kind.BUILTIN, order__range=(ordering.FIRST_BUILTIN, ordering.LAST_BUILTIN))
        | ~is_default & Q(kind=Kind.CUSTOM, order__range=(ordering.FIRST_CUSTOM, ordering.LAST_CUSTOM))
    )


class Policy(AtScope):
    """One policy at one scope. Lower `order` wins. `kind` is that of its applications, and its range of orders.

    `is_default`: the group's Default Deny, made with the group; it has no applications and matches everything.
    `armed_until`: a disabled policy is on until then, and goes off by itself.
    `notify`: e-mail addresses of people who are told when a deny stops something.
    `linked_to`: the policy of a baseline that this one follows; the id stays when that one is deleted, until the
    baseline's next version is carried. Its followers cannot read it: use `linked_to_id`.
    `schedule`: `[{"day": 0-6 (Monday 0), "start": "08:00", "end": "18:00"}]` in the organization's time zone.
    """

    number = NumberField(sequence="policies_policy_number")
    name = models.CharField(max_length=160)
    description = models.TextField(max_length=2000, blank=True, default="")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.CUSTOM)
    applications: models.ManyToManyField[Application, PolicyApplication] = models.ManyToManyField(
        Application, through="PolicyApplication", related_name="policies"
    )
    action = models.CharField(max_length=20, choices=Action.choices)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.INHERIT)
    enabled = models.BooleanField(default=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    schedule = models.JSONField(default=list, blank=True)
    armed_until = models.DateTimeField(null=True, blank=True)
    users = ArrayField(models.CharField(max_length=256), default=list, blank=True)
    allow_request = models.BooleanField(default=True)
    kill_running = models.BooleanField(default=False)
    notify = ArrayField(models.EmailField(max_length=254), default=list, blank=True)
    log = models.BooleanField(default=True)
    ringfence = models.JSONField(null=True, blank=True)
    order = models.PositiveIntegerField()
    is_default = models.BooleanField(default=False)
    owner = models.CharField(max_length=200, blank=True, default="")
    reason = models.CharField(max_length=1000, blank=True, default="")
    ticket = models.CharField(max_length=120, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=200, blank=True, default="")
    last_matched_at = models.DateTimeField(null=True, blank=True)
    linked_to = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, blank=True, db_constraint=False, related_name="followers"
    )

    class Meta:
        verbose_name_plural = "policies"
        ordering = ("order", "id")
        indexes = [models.Index(fields=("organization", "order"), name="policy_by_order")]
        constraints = [
            *one_target("policy"),
            *unique_orders("policy"),
            models.UniqueConstraint(fields=("organization", "id"), name="policy_tenant_key"),
            models.CheckConstraint(condition=_order_in_its_range(), name="policy_order_in_its_range"),
            models.CheckConstraint(
                condition=Q(is_default=False)
                | Q(
                    level=Level.GROUP,
                    action=Action.DENY,
                    enabled=True,
                    starts_at__isnull=True,
                    expires_at__isnull=True,
                    schedule=[],
                    users=[],
                ),
                name="policy_default_always_decides",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(armed_until__isnull=True, notify=[]),
                name="policy_default_is_never_armed",
            ),
            models.UniqueConstraint(
                fields=("target_group",), condition=Q(is_default=True), name="policy_one_default_per_group"
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(expires_at__isnull=True) | Q(starts_at__lt=F("expires_at")),
                name="policy_starts_before_it_expires",
            ),
            models.CheckConstraint(
                condition=Q(action=Action.PERMIT_RINGFENCED, ringfence__isnull=False)
                | ~Q(action=Action.PERMIT_RINGFENCED) & Q(ringfence__isnull=True),
                name="policy_ringfence_with_its_action",
            ),
            models.CheckConstraint(
                condition=Exact(
                    Func(F("schedule"), function="jsonb_typeof", output_field=models.CharField()),
                    Value("array"),
                ),
                name="policy_schedule_is_a_list",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def is_on(self) -> bool:
        """Whether it may be in a bundle: enabled, or armed."""
        return self.enabled or self.is_armed()

    def is_armed(self) -> bool:
        """Whether it is disabled and on for a while all the same."""
        ends_at = self.armed_end
        return ends_at is not None and ends_at > clock.now()

    @property
    def armed_end(self) -> datetime | None:
        """When a disabled policy that was armed goes off: `armed_until`, or its own expiry when that is earlier."""
        if self.enabled or self.armed_until is None:
            return None
        return self.armed_until if self.expires_at is None else min(self.armed_until, self.expires_at)

    @property
    def named_applications(self) -> list[Application]:
        """Its applications in their order; no statement when `queries.policies` read it."""
        return [link.application for link in self.policy_applications.all()]


class PolicyApplication(TenantModel):
    """That a policy is about an application. Carries the policy's organization."""

    shared_down: ClassVar[Q | None] = Q(policy__level=Level.GLOBAL)

    organization = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    policy = models.ForeignKey(Policy, models.CASCADE, related_name="policy_applications")
    application = models.ForeignKey(Application, models.PROTECT, related_name="policy_applications")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "id")
        constraints = [models.UniqueConstraint(fields=("policy", "application"), name="policyapplication_unique")]

    def __str__(self) -> str:
        return f"{self.policy_id} · {self.application_id}"
