"""Policies in the order in which a computer walks them: of one scope, or everything that applies at one place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal
from uuid import UUID

from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When

from policies import queries
from policies.compile import Places, load_places
from policies.engine import ordering
from policies.models import Action, Level, Policy
from portal.common import clock
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, ComputerGroup
from portal.tenants.reach import Reach

AS_EVALUATED = ("band", "order", "restrictiveness", "nearness", "id")
"""The fields `as_evaluated` sorts by, for keyset pages."""

State = Literal["on", "disabled", "expired", "not_started"]


def as_evaluated(policies: QuerySet[Policy], *, builtin_first: bool = True) -> QuerySet[Policy]:
    """`policies` with `band`, `restrictiveness` and `nearness`, sorted like `engine.ordering.evaluation_key`."""
    first, second = (0, 1) if builtin_first else (1, 0)
    return policies.annotate(
        band=_ranked(When(is_default=True, then=2), When(order__lte=ordering.LAST_BUILTIN, then=first), last=second),
        restrictiveness=_ranked(
            When(Q(is_default=True) | Q(action=Action.DENY), then=0),
            When(action=Action.PERMIT_RINGFENCED, then=1),
            last=2,
        ),
        nearness=_ranked(
            When(level=Level.COMPUTER, then=0),
            When(level=Level.GROUP, then=1),
            When(level=Level.ORGANIZATION, then=2),
            last=3,
        ),
    ).order_by(*(F(name).asc() for name in AS_EVALUATED))


def _ranked(*whens: When, last: int) -> Case:
    return Case(*whens, default=Value(last), output_field=IntegerField())


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """What a list of policies is narrowed to. References are ids, or slugs where there are any.

    `effective_for`: a computer, `effective_in`: a group; everything that applies there. Disabled and expired
    policies are left out unless asked for.
    """

    organization: str = ""
    scope: str = ""
    target: str = ""
    effective_for: str = ""
    effective_in: str = ""
    application: str = ""
    include_disabled: bool = False
    q: str = ""


def policies_listed(reach: Reach, terms: PolicyTerms) -> QuerySet[Policy]:
    """The policies of `terms`, sorted as evaluated (by `AS_EVALUATED`). Raises NotFound for a reference."""
    found, builtin_first = _at(reach, terms)
    if terms.scope:
        found = found.filter(level=terms.scope)
    if terms.target:
        found = found.filter(_target(reach, terms))
    if terms.application:
        application = queries.application(reach, terms.application)
        found = found.filter(id__in=queries.policies_using(reach, application.id).order_by().values("id"))
    if terms.q:
        naming = queries.policies_naming(reach, terms.q).values("policy_id")
        found = found.filter(Q(name__icontains=terms.q) | Q(id__in=naming))
    if not terms.include_disabled:
        now = clock.now()
        found = found.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), enabled=True)
    return as_evaluated(found, builtin_first=builtin_first)


def _at(reach: Reach, terms: PolicyTerms) -> tuple[QuerySet[Policy], bool]:
    """The policies at the place of `terms`, and whether built-in ones come first there."""
    found = queries.policies(reach)
    if terms.effective_for:
        return _effective(found, reach, tenants.computer(reach, terms.effective_for))
    if terms.effective_in:
        return _effective(found, reach, tenants.group(reach, terms.effective_in))
    if terms.organization:
        organization = tenants.organization(reach, terms.organization)
        above = queries.ancestors(reach, organization.id)
        mine = Q(organization_id=organization.id) | Q(organization_id__in=above, level=Level.GLOBAL)
        return found.filter(mine), organization_builtin_first(reach, organization.id)
    return found, True


def organization_builtin_first(reach: Reach, organization_id: UUID) -> bool:
    """Whether built-in policies come first in an organization, for computers without a setting of their own."""
    return load_places(reach, organization_id).organization_settings().prioritize_builtin


def _effective(found: QuerySet[Policy], reach: Reach, at: Computer | ComputerGroup) -> tuple[QuerySet[Policy], bool]:
    places = load_places(reach, at.organization_id)
    place = places.place_of(at) if isinstance(at, Computer) else places.place_in(at)
    return found.filter(applies_at(places, at)), place.prioritize_builtin


def applies_at(places: Places, at: Computer | ComputerGroup) -> Q:
    """The condition of the policies whose scope holds a computer, or any computer of a group."""
    group_id = at.group_id if isinstance(at, Computer) else at.id
    above = [UUID(target) for target in places.above(group_id, at.os)]
    line = [places.organization.id, *above]
    condition = (
        Q(level=Level.GROUP, target_group_id=group_id)
        | Q(level=Level.ORGANIZATION, target_organization_id=places.organization.id)
        | Q(level=Level.GLOBAL, target_organization_id__in=line)
        | Q(level=Level.GLOBAL, target_group_id__in=above)
    )
    if isinstance(at, Computer):
        condition |= Q(level=Level.COMPUTER, target_computer_id=at.id)
    return condition


def _target(reach: Reach, terms: PolicyTerms) -> Q:
    """The target of `terms.scope`; any of the three kinds when no scope is given."""
    if terms.scope == Level.ORGANIZATION:
        return Q(target_organization_id=tenants.organization(reach, terms.target).id)
    if terms.scope == Level.GROUP:
        return Q(target_group_id=tenants.group(reach, terms.target).id)
    if terms.scope == Level.COMPUTER:
        return Q(target_computer_id=tenants.computer(reach, terms.target).id)
    target = tenants.as_uuid(terms.target)
    return Q(target_organization_id=target) | Q(target_group_id=target) | Q(target_computer_id=target)


def state_of(policy: Policy) -> State:
    """Whether the policy counts now, apart from its schedule and users."""
    now = clock.now()
    if not policy.enabled:
        return "disabled"
    if policy.expires_at is not None and policy.expires_at <= now:
        return "expired"
    return "not_started" if policy.starts_at is not None and policy.starts_at > now else "on"


def _may_meet(one: Policy, other: Policy) -> bool:
    """Whether some computer may obey both. Two groups never share one, nor do two customers; defaults never meet."""
    if one.is_default or other.is_default:
        return False
    if Level.GLOBAL in (one.level, other.level):
        return True
    apart = one.level == other.level and one.target_id != other.target_id
    return one.organization_id == other.organization_id and not apart


def ties(policies: list[Any]) -> dict[UUID, str]:
    """Of policies sorted as evaluated: which have the order of the next one, and which of the two goes first."""
    found: dict[UUID, str] = {}
    for policy, following in pairwise(policies):
        if (policy.band, policy.order) != (following.band, following.order) or not _may_meet(policy, following):
            continue
        stricter = policy.restrictiveness < following.restrictiveness
        why = f"the {Action(policy.action).label.lower()} goes first" if stricter else "the nearer scope goes first"
        same_level = not stricter and policy.nearness == following.nearness
        found[policy.id] = f"same order as the next; {'the older goes first' if same_level else why}"
    return found
