"""The tools that manage computers, from the catalogue, and which of them ran where lately."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from policies.compile.rules import load_applications
from policies.lockout.essentials import Essential, essential_of_rules
from policies.models import Application, Category, Kind, MatchCount
from portal.common import clock
from portal.tenants.reach import Reach

RECENT = timedelta(days=30)


def managing_tools(reach: Reach) -> tuple[Essential, ...]:
    """The RMM agents of the built-in catalogue, with a sample file for each rule. Three statements."""
    rows = Application.objects.within(reach).filter(kind=Kind.BUILTIN, category=Category.RMM, hidden=False)
    found, os_of = load_applications(rows.values_list("id", flat=True))
    tools = (essential_of_rules(a.id, a.name, os_of[a.id], a.rules) for a in found.values())
    return tuple(tool for tool in tools if tool.facts)


def tools_in_use(reach: Reach, organization_ids: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    """Which applications decided something in the last 30 days, by organization. One statement."""
    tools = Application.objects.within(reach).filter(kind=Kind.BUILTIN, category=Category.RMM)
    rows = MatchCount.objects.within(reach).filter(
        organization_id__in=organization_ids,
        application__in=tools.values("id"),
        day__gte=(clock.now() - RECENT).date(),
    )
    found: dict[UUID, set[str]] = defaultdict(set)
    for organization_id, application in rows.order_by().values_list("organization_id", "application").distinct():
        found[organization_id].add(str(application))
    return {organization_id: frozenset(used) for organization_id, used in found.items()}
