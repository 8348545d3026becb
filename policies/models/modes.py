"""Mode windows: for how long a computer or a group treats denials differently, who said so and why."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from policies.models.applications import Application
from policies.models.scopes import AtScope, Level, one_target
from portal.tenants.models import Mode


class ModeWindow(AtScope):
    """One stay in a mode other than secured. Open while `ended_at` is null and `ends_at` is not past.

    The mode in force is also kept on the computer or group (`mode`, `mode_ends_at`).
    `application`: what is being installed or learned, when that was said.
    """

    mode = models.CharField(max_length=12, choices=Mode.choices)
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    application = models.ForeignKey(Application, models.SET_NULL, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=1000, blank=True, default="")
    ticket = models.CharField(max_length=120, blank=True, default="")
    started_by = models.CharField(max_length=200, blank=True, default="")
    ended_by = models.CharField(max_length=200, blank=True, default="")

    shared_down: ClassVar[Q | None] = None

    class Meta:
        ordering = ("-started_at", "-id")
        constraints = [
            *one_target("modewindow"),
            models.CheckConstraint(
                condition=Q(level__in=(Level.GROUP, Level.COMPUTER)), name="modewindow_at_group_or_computer"
            ),
            models.CheckConstraint(condition=~Q(mode=Mode.SECURED), name="modewindow_is_not_secured"),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("started_at")), name="modewindow_ends_later"
            ),
            models.CheckConstraint(
                condition=Q(mode=Mode.MONITOR_ONLY) | Q(ends_at__isnull=False), name="modewindow_has_an_end"
            ),
            models.UniqueConstraint(
                fields=("target_computer",), condition=Q(ended_at__isnull=True), name="modewindow_one_per_computer"
            ),
            models.UniqueConstraint(
                fields=("target_group",), condition=Q(ended_at__isnull=True), name="modewindow_one_per_group"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_mode_display()} from {self.started_at:%Y-%m-%d %H:%M}"
