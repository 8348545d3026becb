"""Agent settings: an ordered list with the scopes of policies; of several that apply the lowest order wins."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import Exact

from policies.engine.ordering import FIRST_CUSTOM, LAST_CUSTOM
from policies.models.scopes import AtScope, one_target, unique_orders


class SettingName(models.TextChoices):
    PRIORITIZE_BUILTIN = "prioritize_builtin_applications", "Prioritize Built-In Applications"
    CHECKIN_SECONDS = "checkin_seconds", "Check-in interval"
    LOG_PERMITS = "log_permits", "Log permitted runs"


SWITCHES = (SettingName.PRIORITIZE_BUILTIN, SettingName.LOG_PERMITS)


def _typed(kind: str) -> Exact:
    return Exact(Func(F("value"), function="jsonb_typeof", output_field=models.CharField()), Value(kind))


class AgentSetting(AtScope):
    """One setting at one scope. `value` is JSON: a boolean for a switch, a number for an interval."""

    name = models.CharField(max_length=60, choices=SettingName.choices)
    value = models.JSONField()
    order = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=200, blank=True, default="")
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        ordering = ("order", "id")
        constraints = [
            *one_target("setting"),
            *unique_orders("setting", "name"),
            models.CheckConstraint(
                condition=Q(order__range=(FIRST_CUSTOM, LAST_CUSTOM)),
                name="setting_order_in_its_range",
            ),
            models.CheckConstraint(
                condition=Q(name__in=SWITCHES) & _typed("boolean")
                | Q(name=SettingName.CHECKIN_SECONDS) & _typed("number"),
                name="setting_value_fits_its_name",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_name_display()}: {self.shown}"

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return shown_value(self.name, self.value)


def shown_value(name: str, value: object) -> str:
    """`on`, `off` or `60 s`."""
    return f"{value} s" if name == SettingName.CHECKIN_SECONDS else "on" if value else "off"
