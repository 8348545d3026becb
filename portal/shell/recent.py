"""Beside the dashboard: what waits for a deployment, and what people did last. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from policies import changes
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Doing:
    """One entry of the System Audit as a sentence: *who* *did* *what*, where and when."""

    who: str
    did: str
    what: str
    organization: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Changes that wait at one organization."""

    organization: Organization
    count: int
    mine: int
    oldest_at: datetime


def doings(reach: Reach, organization: Organization | None, *, limit: int = 6) -> list[Doing]:
    """The last things done where the reader may read the System Audit, newest first."""
    allowed = reach.with_capability(Capability.JOURNAL_READ)
    entries = queries.entries(reach, organization.id if organization else None)
    if not reach.everything:
        entries = entries.filter(organization_id__in=allowed)
    found = list(entries[:limit])
    names = _names(reach, [entry.organization_id for entry in found])
    return [
        Doing(
            entry.actor_name or entry.actor_kind,
            spoken(entry.verb),
            entry.target_name,
            names.get(entry.organization_id, ""),
            entry.at,
        )
        for entry in found
    ]


def waiting(reach: Reach, organization: Organization | None, *, limit: int = 5) -> list[Waiting]:
    """Where saved changes wait for *Deploy Policies*, the reader's own first, then the oldest."""
    allowed = reach.with_capability(Capability.POLICY_READ)
    asked = allowed & {organization.id} if organization else allowed
    found = {one.organization_id: one for one in changes.waiting(reach, asked)}
    rows = [
        Waiting(place, one.count, dict(one.people).get(reach.actor.name, 0), one.oldest_at)
        for place in queries.organizations(reach).filter(id__in=found)
        if (one := found[place.id])
    ]
    return sorted(rows, key=lambda row: (not row.mine, row.oldest_at))[:limit]


def spoken(verb: str) -> str:
    """`policy.created` as `created policy`, `deployment.rolled_back` as `rolled back deployment`."""
    noun, _, past = verb.rpartition(".")
    return f"{past} {noun}".replace("_", " ").replace(".", " ").strip()


def _names(reach: Reach, ids: Sequence[UUID]) -> dict[UUID, str]:
    return dict(queries.organizations(reach).filter(id__in=ids).values_list("id", "name"))
