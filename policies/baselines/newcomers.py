"""Organizations and groups that come follow the baselines above that say so. The hooks that tenants call."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from policies import queries
from policies.baselines.bringing import lock_organizations
from policies.baselines.publishing import Carried, bring_all
from policies.models import Baseline, Subscription
from portal.tenants import journal
from portal.tenants.models import ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching


def organization_came(reach: Reach, organization: Organization) -> None:
    """A new organization follows every baseline above it that is for new customers."""
    _follow(reach, organization.id, None)


def group_came(reach: Reach, group: ComputerGroup) -> None:
    """A group that is made, or gets the name that a baseline for new customers goes by, follows it. Safe to repeat."""
    if not group.is_global and not group.is_template:
        _follow(reach, group.organization_id, group)


def _follow(reach: Reach, organization_id: UUID, group: ComputerGroup | None) -> None:
    """As the system, for whoever made the newcomer: that it follows was decided when the baseline said so."""
    with reaching(replace(system_reach("baselines for new customers"), actor=reach.actor)) as system:
        organization = Organization.objects.within(system).get(id=organization_id)
        wanted = _for_newcomers(system, organization, group)
        if not wanted:
            return
        lock_organizations(system, [organization.id])
        for baseline in wanted:
            row, made = Subscription.rows.get_or_create(
                organization=organization,
                baseline=baseline,
                target_group=group,
                defaults={"created_by": reach.actor.name},
            )
            if made:
                journal.record(
                    system,
                    "baseline.followed",
                    baseline,
                    organization_id=organization.id,
                    after={"group": group.name if group else "", "version": baseline.version},
                )
            if made and baseline.version:
                bring_all(system, Carried(baseline, baseline.version), [row])


def _for_newcomers(system: Reach, organization: Organization, group: ComputerGroup | None) -> list[Baseline]:
    found = Baseline.objects.within(system).filter(new_customers=True)
    at = {"group_name": ""} if group is None else {"group_name__iexact": group.name, "os": group.os}
    found = found.filter(**at)
    if not found.exists():
        return []
    above = queries.ancestors(system, organization.id)
    return list(found.filter(organization_id__in=above).order_by("created_at", "id"))
