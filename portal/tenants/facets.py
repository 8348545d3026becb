"""How many computers have which value: the counts beside the computers list, each one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q
from django.db.models.expressions import Combinable

from portal.common import clock
from portal.tenants.models import Mode, OperatingSystem
from portal.tenants.modes import mode_in_force_sql
from portal.tenants.reach import Reach
from portal.tenants.searches import computers_matching

SILENT_DAYS = 7
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value with its count. `pick` is what the query parameter becomes when it is pressed."""

    label: str
    pick: str
    count: int
    is_picked: bool


@dataclass(frozen=True, slots=True)
class Facet:
    title: str
    parameter: str
    values: Sequence[FacetValue]


def computer_facets(reach: Reach, asked: dict[str, Any]) -> list[Facet]:
    """Mode, system, group and silence of the computers that the other filters leave. Four statements."""
    return [
        _by_field(reach, asked, "Mode", "mode", mode_in_force_sql(), dict(Mode.choices)),
        _by_field(reach, asked, "System", "os", F("os"), dict(OperatingSystem.choices)),
        _by_group(reach, asked, with_organization="organization" not in asked),
        _silence(reach, asked),
    ]


def _rest(reach: Reach, asked: dict[str, Any], parameter: str) -> Any:
    others = {name: value for name, value in asked.items() if name != parameter}
    return computers_matching(reach, **others).order_by()


def _by_field(
    reach: Reach, asked: dict[str, Any], title: str, parameter: str, column: Combinable, labels: dict[str, Any]
) -> Facet:
    counted = dict(_rest(reach, asked, parameter).annotate(facet=column).values_list("facet").annotate(n=Count("id")))
    picked = asked.get(parameter)
    values = [
        FacetValue(str(labels[key]), "" if key == picked else key, counted.get(key, 0), key == picked)
        for key in labels
        if counted.get(key) or key == picked
    ]
    return Facet(title, parameter, values)


def _by_group(reach: Reach, asked: dict[str, Any], *, with_organization: bool) -> Facet:
    rows = (
        _rest(reach, asked, "group")
        .values_list("group_id", "group__name", "organization__name")
        .annotate(n=Count("id"))
        .order_by("-n", "group__name")
    )
    picked = asked.get("group", "")
    values = [
        FacetValue(f"{name} · {of}" if with_organization else name, _toggled(key, picked), n, str(key) == picked)
        for key, name, of, n in rows[:_SHOWN]
    ]
    return Facet("Group", "group", values)


def _silence(reach: Reach, asked: dict[str, Any]) -> Facet:
    since = clock.now() - timedelta(days=SILENT_DAYS)
    silent = Q(last_seen_at__lt=since) | Q(last_seen_at__isnull=True)
    number = _rest(reach, asked, "silent_days").filter(silent).count()
    picked = bool(asked.get("silent_days"))
    value = FacetValue(f"silent for {SILENT_DAYS} days", "" if picked else str(SILENT_DAYS), number, picked)
    return Facet("Last word", "silent_days", [value] if number or picked else [])


def _toggled(key: UUID, picked: str) -> str:
    return "" if str(key) == picked else str(key)
