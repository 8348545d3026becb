"""What comes from where: each policy that applies in an organization, and who answers for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from policies import listing
from policies.baselines import reading
from policies.listing import PolicyTerms
from policies.models import Policy, Subscription
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

MOST = 300
_Key = tuple[UUID, UUID | None]  # source, group


@dataclass(frozen=True, slots=True)
class Origin:
    """One policy. `kind`: from a baseline as it is, by an exception to it, the organization's own, or global from
    above. `said`: which baseline, whose; why not as it is there."""

    policy: Policy
    kind: Literal["baseline", "exception", "own", "above"]
    said: str = ""


def origins(reach: Reach, organization: Organization) -> list[Origin]:
    """The first `MOST` policies that apply in an organization, as evaluated, disabled ones too; no defaults."""
    terms = PolicyTerms(organization=str(organization.id), include_disabled=True)
    found = list(listing.policies_listed(reach, terms).filter(is_default=False)[:MOST])
    followed = _followed(reach, organization)
    why: dict[_Key, str] = {
        (e.source, e.subscription.target_group_id): f"{e.get_kind_display()}: {e.reason}"
        for e in reading.exceptions(reach).filter(organization_id=organization.id)
    }
    return [_origin(policy, organization, followed, why) for policy in found]


def _origin(policy: Policy, organization: Organization, followed: dict[_Key, str], why: dict[_Key, str]) -> Origin:
    if policy.organization_id != organization.id:
        return Origin(policy, "above", policy.organization.name)
    if policy.linked_to_id is None:
        return Origin(policy, "own", policy.created_by)
    key = (policy.linked_to_id, policy.target_group_id)
    if key not in followed:
        return Origin(policy, "own", policy.created_by)
    if key in why:
        return Origin(policy, "exception", f"{followed[key]}. {why[key]}")
    return Origin(policy, "baseline", followed[key])


def _followed(reach: Reach, organization: Organization) -> dict[_Key, str]:
    """(source, group) -> the baseline and version that the organization has it from."""
    found: dict[_Key, str] = {}
    mine: list[Subscription] = list(reading.subscriptions(reach).filter(organization_id=organization.id))
    for subscription in mine:
        said = f"{subscription.baseline.name} version {subscription.version}"
        items = reading.items_of(reach, subscription.baseline_id, [subscription.version])[subscription.version]
        found.update({(item.source, subscription.target_group_id): said for item in items})
    return found
