"""Narrowed lists, as the query strings of screens and REST name their filters. References are ids or slugs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from portal.common import clock
from portal.tenants import journal, queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from portal.tenants.modes import mode_in_force_sql
from portal.tenants.reach import Reach


def organizations_matching(reach: Reach, *, parent: str = "", q: str = "") -> QuerySet[Organization]:
    """Organizations in reach; `parent`: directly beneath it; `q`: in the name or slug. Raises NotFound for a parent."""
    found = queries.organizations(reach)
    if parent:
        found = found.filter(parent_id=queries.organization(reach, parent).id)
    if q:
        found = found.filter(Q(name__icontains=q) | Q(slug__icontains=q))
    return found


def groups_matching(
    reach: Reach, *, organization: str = "", os: str = "", is_global: bool | None = None
) -> QuerySet[ComputerGroup]:
    """Computer groups as `groups` gives them, narrowed. Raises NotFound for an organization out of reach."""
    found = queries.groups(reach, _organization_id(reach, organization))
    if os:
        found = found.filter(os=os)
    if is_global is not None:
        found = found.filter(is_global=is_global)
    return found


def computers_matching(
    reach: Reach,
    *,
    organization: str = "",
    group: str = "",
    os: str = "",
    mode: str = "",
    silent_days: int | None = None,
    q: str = "",
) -> QuerySet[Computer]:
    """Computers in reach, narrowed; a global group gives the computers it holds by rule.

    `mode`: the one in force, also by its group. `silent_days`: no word for so long, or never. `q`: in the name, last
    user or machine id.
    """
    found = queries.computers(reach, _organization_id(reach, organization))
    if group:
        found = found.filter(queries.held_by(queries.group(reach, group)))
    if os:
        found = found.filter(os=os)
    if mode:
        found = found.alias(mode_in_force=mode_in_force_sql()).filter(mode_in_force=mode)
    if silent_days is not None:
        since = clock.now() - timedelta(days=silent_days)
        found = found.filter(Q(last_seen_at__lt=since) | Q(last_seen_at__isnull=True))
    if q:
        found = found.filter(Q(name__icontains=q) | Q(last_user__icontains=q) | Q(machine_id__icontains=q))
    return found


def entries_matching(
    reach: Reach,
    *,
    organization: str = "",
    verb: str = "",
    actor: str = "",
    target: str = "",
    q: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[Entry]:
    """Entries of organizations whose System Audit the actor may read, newest first, narrowed.

    `verb` ending in a period is a beginning. `q`: in the names of who and what.
    """
    found = queries.entries(reach, _organization_id(reach, organization))
    if not reach.everything:
        found = found.filter(organization_id__in=reach.with_capability(Capability.JOURNAL_READ))
    if verb:
        found = found.filter(verb__startswith=verb) if verb.endswith(".") else found.filter(verb=verb)
    if actor:
        found = found.filter(actor_id=actor)
    if target:
        found = found.filter(target_id=target)
    if q:
        found = found.filter(Q(actor_name__icontains=q) | Q(target_name__icontains=q))
    if since:
        found = found.filter(at__gte=since)
    if until:
        found = found.filter(at__lt=until)
    return found


@dataclass(frozen=True, slots=True)
class OrganizationVerification:
    """What recomputing one organization's chain found."""

    organization: Organization
    checked: int
    first_bad: int | None
    head: str

    @property
    def whole(self) -> bool:
        return self.first_bad is None


def verifications(reach: Reach, *, organization: str = "") -> list[OrganizationVerification]:
    """Recompute the chains that the actor may read, all or one. Reads every entry of them."""
    found = queries.organizations(reach)
    if organization:
        found = found.filter(id=queries.organization(reach, organization).id)
    results = []
    for each in found:
        if reach.can(Capability.JOURNAL_READ, each.id):
            seen = journal.verify(reach, each.id)
            results.append(OrganizationVerification(each, seen.checked, seen.first_bad, seen.head))
    return results


def _organization_id(reach: Reach, reference: str) -> UUID | None:
    return queries.organization(reach, reference).id if reference else None
