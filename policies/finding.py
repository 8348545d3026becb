"""What the palette finds on this floor: policies and applications by name, hashes that rules name."""

from __future__ import annotations

from django.db.models import Q

from policies import queries
from policies.application_names import shown_name
from policies.models import Application, FileRule, Policy
from portal.common.registry import SearchHit
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

MOST_HITS = 8
_HASH_CHARACTERS = 64


def find_policies(reach: Reach, organization: Organization | None, text: str) -> list[SearchHit]:
    """Policies whose name contains `text`, of one organization or of all in reach. At most 8."""
    seen = reach.with_capability(Capability.POLICY_READ)
    only = seen & {organization.id} if organization else seen
    found = queries.policies(reach).filter(name__icontains=text, organization_id__in=only)
    return [_policy_hit(policy) for policy in found[:MOST_HITS]]


def find_applications(reach: Reach, organization: Organization | None, text: str) -> list[SearchHit]:
    """Applications whose name contains, or one of whose hashes is, `text`. At most 8."""
    if not reach.can_anywhere(Capability.APPLICATION_READ):
        return []
    found = queries.applications(reach) if organization is None else queries.applications_for(reach, organization.id)
    wanted = Q(name__icontains=text)
    if len(text) == _HASH_CHARACTERS:
        wanted |= Q(id__in=FileRule.objects.within(reach).filter(hash=text.lower()).values("application_id"))
    return [_application_hit(row, organization) for row in found.filter(wanted, hidden=False)[:MOST_HITS]]


def _policy_hit(policy: Policy) -> SearchHit:
    home = address("policies:policy-list", policy.organization)
    href = f"{home}?include_disabled=true#policy-{policy.id}"
    return SearchHit(policy.name, "Policy", href, f"{policy.order:,} · {policy.organization.name}")


def _application_hit(application: Application, organization: Organization | None) -> SearchHit:
    home = organization or application.organization
    href = address("policies:application-detail", home, application=application.id)
    hint = application.organization.name if application.organization else "Built-in"
    return SearchHit(shown_name(application, organization), "Application", href, hint)
