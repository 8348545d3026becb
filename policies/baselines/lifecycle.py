"""Making, changing and deleting baselines, and following them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from policies import changes
from policies.baselines import reading
from policies.baselines.bringing import bring, lock_organizations
from policies.baselines.followers import load_following
from policies.baselines.publishing import AT_ONCE, Carried, bring_all, leave_to_worker, publish
from policies.models import Baseline, Policy, Subscription
from policies.scopes import lock_organization
from portal.common.errors import Conflict, FieldError, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.administration import groups
from portal.tenants.capabilities import Capability
from portal.tenants.models import ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

_FIELDS = ("name", "description", "group_name", "new_customers")
_LIMITS = {"name": 100, "description": 2000, "group_name": 120}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a baseline is followed: at an organization, or at one of its groups."""

    organization_id: UUID
    group_id: UUID | None = None


@transaction.atomic
def create_baseline(reach: Reach, *, organization_id: UUID, name: str, os: str, **fields: Any) -> Baseline:
    """Create a baseline with an empty template. `fields`: description, group_name, new_customers.

    Raises NotFound, Forbidden, Invalid, Conflict for a taken name. Locks the organization.
    """
    reach.require(Capability.POLICY_WRITE, organization_id)
    lock_organization(reach, organization_id)
    made = Baseline(organization_id=organization_id, name=name.strip(), os=os, **fields)
    _check(reach, made)
    made.source_group = groups.create_group(
        reach, organization_id=organization_id, name=_template_name(made), os=os, is_template=True
    )
    made.created_by = made.changed_by = reach.actor.name
    made.save(force_insert=True)
    after = {"os": os, **{name: getattr(made, name) for name in _FIELDS}}
    journal.record(reach, "baseline.created", made, organization_id=organization_id, after=after)
    return made


@transaction.atomic
def change_baseline(reach: Reach, baseline_id: UUID | str, **fields: Any) -> Baseline:
    """Change name, description, group_name or new_customers; its system stays. Raises like `create_baseline`.

    `group_name` tells where it is followed from now on; who follows already keeps the place.
    """
    found = _locked(reach, baseline_id)
    before = {name: getattr(found, name) for name in fields}
    if before == fields:
        return found
    for name, value in fields.items():
        setattr(found, name, value.strip() if isinstance(value, str) else value)
    found.changed_by = reach.actor.name
    _check(reach, found)
    if "name" in fields:
        groups.change_group(reach, found.source_group_id, name=_template_name(found))
    found.save(update_fields=[*fields, "changed_by", "changed_at"])
    journal.record(
        reach, "baseline.changed", found, organization_id=found.organization_id, before=before, after=dict(fields)
    )
    return found


@transaction.atomic
def delete_baseline(reach: Reach, baseline_id: UUID | str) -> None:
    """Delete a baseline that nobody follows, with its template. Raises NotFound, Forbidden, Refused."""
    found = _locked(reach, baseline_id)
    following = followers_anywhere(found)
    if following:
        raise Refused(
            f"{following} organizations follow {found.name}. Let them stop following it first: their policies can "
            "stay as their own or go.",
            code="followed",
        )
    journal.record(
        reach, "baseline.deleted", found, organization_id=found.organization_id, before={"version": found.version}
    )
    template = found.source_group_id
    found.delete()
    Policy.objects.within(reach).filter(target_group_id=template).delete()
    groups.delete_group(reach, template)


def followers_anywhere(baseline: Baseline) -> int:
    """How many follow, whoever asks: one out of reach keeps a baseline alive, too."""
    with reaching(system_reach("who follows a baseline")) as system:
        return Subscription.objects.within(system).filter(baseline_id=baseline.id).count()


@transaction.atomic
def follow(reach: Reach, baseline_id: UUID | str, *, places: Sequence[Place]) -> Carried:
    """Let organizations follow a baseline, and bring them to its newest version (its first is published for it).

    Raises NotFound, Forbidden, Refused with what does not fit, Conflict for one that follows it there already. Locks
    like `publishing.carry`.
    """
    baseline = reading.baseline(reach, baseline_id)
    reach.require(Capability.POLICY_WRITE, baseline.organization_id)
    for place in places:
        reach.require(Capability.POLICY_WRITE, place.organization_id)
    at_once = len(places) <= AT_ONCE
    lock_organizations(reach, {baseline.organization_id, *(p.organization_id for p in places if at_once)})
    baseline = reading.baseline(reach, baseline_id)
    held = _check_places(reach, baseline, places)
    rows = Subscription.rows.bulk_create(
        Subscription(
            organization_id=place.organization_id,
            baseline=baseline,
            target_group=held.get(place.group_id) if place.group_id else None,
            created_by=reach.actor.name,
        )
        for place in places
    )
    carried = Carried(baseline, baseline.version or publish(reach, baseline))
    if at_once:
        bring_all(reach, carried, rows)
    else:
        leave_to_worker(reach, carried, rows)
    told = {"followers": [str(place.organization_id) for place in places]}
    journal.record(reach, "baseline.followed", baseline, organization_id=baseline.organization_id, after=told)
    return carried


@transaction.atomic
def stop_following(reach: Reach, subscription_id: UUID | str, *, keep: bool) -> None:
    """Stop following. `keep`: the policies stay as the organization's own, as they are; else they go.

    Raises NotFound, Forbidden. Locks the organization.
    """
    seen = reading.subscription(reach, subscription_id)
    reach.require(Capability.POLICY_WRITE, seen.organization_id)
    lock_organization(reach, seen.organization_id)
    subscription = reading.subscription(reach, subscription_id)
    baseline = subscription.baseline
    following = load_following(reach, baseline, [subscription])
    follower = following.followers[0]
    if keep:
        mine = [one.id for one in follower.present.values()]
        Policy.objects.within(reach).filter(id__in=mine).update(linked_to=None)
        changes.touch(reach, subscription.organization_id)
    else:
        follower.exceptions = {}
        bring(reach, following, follower, 0, verb="baseline.withdrawn")
    journal.record(
        reach,
        "baseline.left",
        baseline,
        organization_id=subscription.organization_id,
        before={"version": subscription.version, "policies": [p.terms.name for p in follower.present.values()]},
        kept=keep,
    )
    subscription.delete()


def _locked(reach: Reach, baseline_id: UUID | str) -> Baseline:
    seen = reading.baseline(reach, baseline_id)
    reach.require(Capability.POLICY_WRITE, seen.organization_id)
    lock_organization(reach, seen.organization_id)
    return reading.baseline(reach, baseline_id)


def _template_name(baseline: Baseline) -> str:
    return f"Baseline: {baseline.name}"


def _check(reach: Reach, baseline: Baseline) -> None:
    errors = [
        FieldError(f"/{name}", f"This may have {limit} characters at most.")
        for name, limit in _LIMITS.items()
        if len(getattr(baseline, name)) > limit
    ]
    if not baseline.name:
        errors.append(FieldError("/name", "Give the baseline a name."))
    if errors:
        raise Invalid(errors)
    others = Baseline.objects.within(reach).filter(organization_id=baseline.organization_id)
    if others.filter(name__iexact=baseline.name).exclude(id=baseline.id).exists():
        raise Conflict(f"There is a baseline called {baseline.name} here already.")


def _check_places(reach: Reach, baseline: Baseline, places: Sequence[Place]) -> dict[UUID, ComputerGroup]:
    """The groups that are named, by id. Raises NotFound, Refused, Conflict."""
    if not places:
        raise Invalid([FieldError("/followers", "Choose at least one organization.")])
    beneath = tenants.beneath(reach, baseline.organization_id)
    for place in places:
        if place.organization_id not in beneath:
            name = tenants.organization(reach, place.organization_id).name
            raise Refused(f"{name} is not beneath {baseline.organization}.", pointer="/followers", code="not_beneath")
    found = ComputerGroup.objects.within(reach).filter(id__in=[p.group_id for p in places if p.group_id])
    held = {group.id: group for group in found}
    for place in places:
        if place.group_id is not None:
            _check_group(baseline, place, held.get(place.group_id))
    _refuse_twice(reach, baseline, places)
    return held


def _check_group(baseline: Baseline, place: Place, group: ComputerGroup | None) -> None:
    if group is None or group.organization_id != place.organization_id:
        raise NotFound
    if group.is_global or group.is_template:
        raise Refused(f"{group.name} holds no computers of its own. Choose another group.", pointer="/followers")
    if group.os != baseline.os:
        raise Refused(
            f"{group.name} holds {group.get_os_display()} computers; {baseline.name} is for "
            f"{baseline.get_os_display()}.",
            pointer="/followers",
            code="other_os",
        )


def _refuse_twice(reach: Reach, baseline: Baseline, places: Collection[Place]) -> None:
    there = Subscription.objects.within(reach).filter(baseline_id=baseline.id)
    have = {Place(o, g) for o, g in there.values_list("organization_id", "target_group_id")}
    twice = [place for place in places if place in have]
    if twice or len(set(places)) < len(places):
        name = tenants.organization(reach, (twice or list(places))[0].organization_id).name
        raise Conflict(f"{name} follows {baseline.name} there already.")


def candidates(reach: Reach, baseline: Baseline) -> list[tuple[Organization, ComputerGroup | None, str]]:
    """Who may follow but does not: (organization, its group that the baseline goes to, why not); by name."""
    beneath = tenants.beneath(reach, baseline.organization_id)
    rows = reading.subscriptions(reach, baseline_id=baseline.id)
    following = set(rows.values_list("organization_id", flat=True))
    found = []
    named = _named_groups(reach, baseline)
    for organization in tenants.organizations(reach).filter(id__in=beneath).exclude(id__in=following):
        if not reach.can(Capability.POLICY_WRITE, organization.id):
            continue
        group = named.get(organization.id)
        missing = bool(baseline.group_name) and group is None
        why = f"has no {baseline.get_os_display()} group {baseline.group_name}" if missing else ""
        found.append((organization, group, why))
    return found


def _named_groups(reach: Reach, baseline: Baseline) -> dict[UUID, ComputerGroup]:
    if not baseline.group_name:
        return {}
    rows = ComputerGroup.objects.within(reach).filter(
        name__iexact=baseline.group_name, os=baseline.os, is_global=False, is_template=False
    )
    return {group.organization_id: group for group in rows}
