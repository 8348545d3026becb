"""Policies in the order in which a computer walks them: of one scope, or everything that applies at one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When

from policies import queries
from policies.compile import Places, load_places
from policies.engine import ordering
from policies.match_counts import Matches
from policies.models import Action, AgentSetting, Level, MatchCount, Policy, SettingName
from portal.common import clock
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, ComputerGroup
from portal.tenants.reach import Reach

AS_EVALUATED = ("band", "order", "restrictiveness", "nearness", "id")
"""The fields `as_evaluated` sorts by, for keyset pages."""

State = Literal["on", "armed", "disabled", "expired", "not_started"]
UNUSED_AFTER = timedelta(weeks=6)
EXPIRING_WITHIN = timedelta(days=14)


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

    Where: `organization`, `scope` and `target`, `effective_for` (a computer) or `effective_in` (a group): everything
    that applies there. Disabled and expired policies are left out unless asked for; armed ones are on.
    Filters: `matched`: `unused` (older than six weeks, and no match since) or `never`; `ringfence`: `yes` or `no`;
    `expiring`: within 14 days; `mine`: owned or created by who asks.
    """

    organization: str = ""
    scope: str = ""
    target: str = ""
    effective_for: str = ""
    effective_in: str = ""
    include_disabled: bool = False
    application: str = ""
    q: str = ""
    action: str = ""
    status: str = ""
    ringfence: str = ""
    matched: str = ""
    expiring: bool = False
    mine: bool = False
    armed: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether rows are missing between others, so that a place in the list cannot be shown truly."""
        filters = (self.q, self.application, self.action, self.status, self.ringfence, self.matched)
        return any(filters) or self.expiring or self.mine or self.armed

    @property
    def unfiltered(self) -> PolicyTerms:
        """The same place without filters."""
        return PolicyTerms(**{name: getattr(self, name) for name in _WHERE})


_WHERE = ("organization", "scope", "target", "effective_for", "effective_in", "include_disabled")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a list is looked at from: the condition of what applies there, and whether built-in policies go first.

    `builtin_from`: the setting that says so, None when none does.
    """

    applies: Q
    builtin_first: bool
    builtin_from: AgentSetting | None = None


def standing(reach: Reach, terms: PolicyTerms) -> Standing:
    """The place of `terms`; read it once for several lists of it. Raises NotFound for a reference."""
    found = _at(reach, terms)
    if terms.scope:
        found = replace(found, applies=found.applies & Q(level=terms.scope))
    if terms.target:
        found = replace(found, applies=found.applies & _target(reach, terms))
    return found


def policies_listed(reach: Reach, terms: PolicyTerms, *, at: Standing | None = None) -> QuerySet[Policy]:
    """The policies of `terms`, sorted as evaluated (by `AS_EVALUATED`). Raises NotFound for a reference."""
    place = at or standing(reach, terms)
    found = queries.policies(reach).filter(place.applies, _kept(reach, terms))
    return as_evaluated(found, builtin_first=place.builtin_first)


def _kept(reach: Reach, terms: PolicyTerms) -> Q:
    """What the filters of `terms` leave of a place."""
    kept = _kept_by_columns(reach, terms)
    if terms.application:
        application = queries.application(reach, terms.application)
        kept &= Q(id__in=queries.policies_using(reach, application.id).order_by().values("id"))
    if terms.q:
        naming = queries.policies_naming(reach, terms.q).values("policy_id")
        kept &= Q(name__icontains=terms.q) | Q(id__in=naming)
    return kept


def _kept_by_columns(reach: Reach, terms: PolicyTerms) -> Q:
    now = clock.now()
    kept = Q()
    if not terms.include_disabled:
        kept &= is_on_at(now)
    if terms.action:
        kept &= Q(action=terms.action)
    if terms.status:
        kept &= Q(status=terms.status)
    if terms.ringfence:
        fenced = Q(action=Action.PERMIT_RINGFENCED)
        kept &= fenced if terms.ringfence == "yes" else ~fenced
    if terms.matched == "never":
        kept &= _not_matched(reach)
    if terms.matched == "unused":
        since = now - UNUSED_AFTER
        kept &= Q(created_at__lte=since) & _not_matched(reach, since)
    if terms.expiring:
        kept &= Q(expires_at__gt=now, expires_at__lte=now + EXPIRING_WITHIN)
    if terms.mine:
        kept &= Q(owner=reach.actor.name) | Q(created_by=reach.actor.name)
    if terms.armed:
        kept &= Q(enabled=False, armed_until__gt=now)
    return kept


def _not_matched(reach: Reach, since: datetime | None = None) -> Q:
    """The condition of policies without a match, or without one since. What a policy from above decided in
    organizations out of reach does not count: nobody learns here what others run."""
    own = Q(last_matched_at__isnull=True)
    counted = MatchCount.objects.within(reach).filter(policy=OuterRef("pk"))
    if since is not None:
        own |= Q(last_matched_at__lte=since)
        counted = counted.filter(last_at__gt=since)
    if reach.everything:
        return own
    home = Q(organization_id__in=reach.organizations)
    return (home & own) | (~home & ~Q(Exists(counted)))


def last_match(reach: Reach, policy: Policy, matches: Matches) -> datetime | None:
    """When a policy last decided, as far as the reach goes: of one from above what `matches` counted."""
    return policy.last_matched_at if reach.sees(policy.organization_id) else matches.last_at


def is_on_at(now: datetime) -> Q:
    """The condition of policies that are enabled or armed, and not expired."""
    lasting = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    return lasting & (Q(enabled=True) | Q(armed_until__gt=now))


def hidden_count(reach: Reach, terms: PolicyTerms, *, at: Standing) -> int:
    """How many policies of the place `terms` leave out. One statement."""
    if terms.include_disabled and not terms.is_filtered:
        return 0
    there = queries.policies(reach).filter(at.applies).order_by()
    counted = there.aggregate(whole=Count("id"), shown=Count("id", filter=_kept(reach, terms)))
    return int(counted["whole"] - counted["shown"])


def same_orders(reach: Reach, terms: PolicyTerms, policies: Sequence[Policy], *, at: Standing) -> list[Policy]:
    """Every policy of the place that is on and has the order of one of these, sorted as evaluated."""
    orders = {policy.order for policy in policies if not policy.is_default}
    found = policies_listed(reach, terms.unfiltered, at=at).filter(order__in=orders)
    return list(found.prefetch_related(None).select_related(None))


def changing_places(reach: Reach, terms: PolicyTerms, policy: Policy) -> list[Policy]:
    """The policies of the place of `terms` that one can change places with, and itself, sorted as evaluated."""
    listed = policies_listed(reach, terms.unfiltered).filter(kind=policy.kind, is_default=False)
    return list(listed.prefetch_related(None).select_related(None))


def position(reach: Reach, terms: PolicyTerms, policy_id: UUID, *, at: Standing) -> int | None:
    """How many policies of the list stand before one; None when it is not in the list."""
    ids = list(policies_listed(reach, terms, at=at).values_list("id", flat=True))
    return ids.index(policy_id) if policy_id in ids else None


def _at(reach: Reach, terms: PolicyTerms) -> Standing:
    if terms.effective_for:
        return _effective(reach, tenants.computer(reach, terms.effective_for))
    if terms.effective_in:
        return _effective(reach, tenants.group(reach, terms.effective_in))
    if terms.organization:
        organization = tenants.organization(reach, terms.organization)
        above = queries.ancestors(reach, organization.id)
        mine = Q(organization_id=organization.id) | Q(organization_id__in=above, level=Level.GLOBAL)
        first = organization_builtin_from(reach, organization.id)
        return Standing(mine, first is None or bool(first.value), first)
    return Standing(Q(), True)


def organization_builtin_from(reach: Reach, organization_id: UUID) -> AgentSetting | None:
    """The setting that says whether built-in policies come first in an organization, for computers without one of
    their own; None when none does: then they do."""
    above = Q(level=Level.GLOBAL, target_organization_id__in=queries.ancestors(reach, organization_id))
    settings = AgentSetting.objects.within(reach).filter(
        Q(target_organization_id=organization_id) | above, name=SettingName.PRIORITIZE_BUILTIN
    )
    ranked = settings.annotate(nearness=_ranked(When(level=Level.ORGANIZATION, then=0), last=1)).order_by(
        "order", "nearness", "id"
    )
    found: AgentSetting | None = ranked.select_related("target_organization").first()
    return found


def _effective(reach: Reach, at: Computer | ComputerGroup) -> Standing:
    places = load_places(reach, at.organization_id)
    place = places.place_of(at) if isinstance(at, Computer) else places.place_in(at)
    in_force = places.settings_of(at) if isinstance(at, Computer) else places.settings_in(at)
    return Standing(applies_at(places, at), place.prioritize_builtin, in_force.prioritize_from)


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
    if policy.expires_at is not None and policy.expires_at <= now:
        return "expired" if policy.enabled else "disabled"
    if not policy.enabled:
        return "armed" if policy.is_armed() else "disabled"
    return "not_started" if policy.starts_at is not None and policy.starts_at > now else "on"
