"""Publishing a baseline: its template is frozen as a version, and followers are brought to it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from policies.baselines import reading
from policies.baselines.bringing import Brought, bring, lock_organizations
from policies.baselines.followers import Follower, Following, load_following
from policies.models import Baseline, BaselineVersion, Subscription
from policies.undoing import keep_undo
from portal.common import clock, queue
from portal.common.errors import NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

AT_ONCE = 25
"""Up to so many followers are brought in the activity itself; more are rows that a worker takes one by one."""


@dataclass(slots=True)
class Carried:
    """`version` is what followers get. `done`: what became of each; `waiting`: left to a worker; `faults`: why not;
    `out_of_hand`: followers whose policies the reach may not change."""

    baseline: Baseline
    version: int
    done: list[tuple[Subscription, Brought]] = field(default_factory=list)
    waiting: int = 0
    faults: list[tuple[Subscription, str]] = field(default_factory=list)
    out_of_hand: list[Subscription] = field(default_factory=list)


@transaction.atomic
def carry(
    reach: Reach, baseline_id: UUID | str, *, note: str = "", subscription_ids: Collection[UUID] | None = None
) -> Carried:
    """Publish what the template says now, if that is new, and bring the followers to it (or only some of them).

    Nothing is deployed: at each follower it waits as pending changes. Raises NotFound, Forbidden. Locks the baseline's
    organization and, up to `AT_ONCE` followers, theirs, by id.
    """
    baseline = reading.baseline(reach, baseline_id)
    reach.require(Capability.POLICY_WRITE, baseline.organization_id)
    all_of_them = list(reading.subscriptions(reach, baseline_id=baseline.id))
    if subscription_ids is not None:
        if not set(subscription_ids) <= {s.id for s in all_of_them}:
            raise NotFound
        all_of_them = [s for s in all_of_them if s.id in subscription_ids]
    mine = [s for s in all_of_them if reach.can(Capability.POLICY_WRITE, s.organization_id)]
    at_once = len(mine) <= AT_ONCE
    lock_organizations(reach, {baseline.organization_id, *(s.organization_id for s in mine if at_once)})
    baseline = reading.baseline(reach, baseline_id)
    carried = Carried(baseline, publish(reach, baseline, note))
    carried.out_of_hand = [s for s in all_of_them if s not in mine]
    if at_once:
        bring_all(reach, carried, mine)
    else:
        leave_to_worker(reach, carried, mine)
    told = {"version": carried.version, "followers": len(mine), "note": note}
    journal.record(reach, "baseline.published", baseline, organization_id=baseline.organization_id, after=told)
    return carried


def publish(reach: Reach, baseline: Baseline, note: str = "") -> int:
    """The number of the version that says what the template says now: the newest, or a new one. The baseline's
    organization is locked."""
    now = reading.source_items(reach, baseline)
    if now is None:
        raise NotFound
    if baseline.version and reading.items_of(reach, baseline.id, [baseline.version]).get(baseline.version) == now:
        return baseline.version
    baseline.version += 1
    BaselineVersion(
        organization_id=baseline.organization_id,
        baseline=baseline,
        number=baseline.version,
        policies=[item.as_json() for item in now],
        note=note[:300],
        created_at=clock.now(),
        created_by=reach.actor.name,
    ).save(force_insert=True)
    baseline.changed_by = reach.actor.name
    baseline.save(update_fields=["version", "changed_by", "changed_at"])
    return baseline.version


def bring_all(reach: Reach, carried: Carried, subscriptions: Sequence[Subscription]) -> None:
    """Bring each to the version; one that cannot be brought says why and holds up no other."""
    following = load_following(reach, carried.baseline, _as_locked(reach, subscriptions), versions=[carried.version])
    for follower in following.followers:
        subscription = follower.subscription
        try:
            carried.done.append((subscription, bring_one(reach, following, follower, carried.version)))
        except Refused as refusal:
            subscription.wanted, subscription.fault = carried.version, refusal.message[:300]
            subscription.save(update_fields=["wanted", "fault"])
            carried.faults.append((subscription, refusal.message))


def bring_one(reach: Reach, following: Following, follower: Follower, number: int) -> Brought:
    """Bring one follower, or nothing of it, and keep how to undo it. Its organization is locked."""
    subscription = follower.subscription
    before = subscription.version
    ended = {str(source): str(exception.id) for source, exception in follower.exceptions.items()}
    with transaction.atomic():
        brought = bring(reach, following, follower, number)
        if brought.anything or before != number:
            keep_undo(
                reach,
                organization_id=subscription.organization_id,
                kind="baseline.carried",
                summary=f"{following.baseline.name} version {number} carried",
                payload={
                    "subscription": str(subscription.id),
                    "from": before,
                    "to": number,
                    "exceptions": ended,
                    "released": [[str(source), str(policy)] for source, policy in brought.unlinked],
                },
            )
    return brought


def leave_to_worker(reach: Reach, carried: Carried, subscriptions: Sequence[Subscription]) -> None:
    """Say which version they shall have, and wake a worker. What is lost on the way is found by the sweep."""
    rows = Subscription.objects.within(reach).filter(id__in=[s.id for s in subscriptions])
    carried.waiting = rows.update(wanted=carried.version, fault="")
    queue.after_commit("policies.carry_baseline", baseline_id=carried.baseline.id)


def carry_waiting(baseline_id: UUID | None = None, *, most: int = 500) -> int:
    """Bring those that wait to the version they want, each in a transaction of its own. How many were brought.

    Safe to run any number of times and at the same time.
    """
    seen: set[UUID] = set()
    while len(seen) < most:
        with reaching(system_reach("baselines")) as system:
            following = reading.waiting(system, baseline_id).exclude(id__in=seen)
            subscription = following.select_related("baseline").first()
            if subscription is None:
                return len(seen)
            seen.add(subscription.id)
            lock_organizations(system, [subscription.organization_id])
            _carry_one(system, subscription.id)
    return len(seen)


def _carry_one(system: Reach, subscription_id: UUID) -> None:
    subscription = reading.waiting(system).filter(id=subscription_id).select_related("baseline").first()
    if subscription is None:
        return  # another worker was faster
    publisher = reading.versions(system, subscription.baseline_id).filter(number=subscription.wanted).first()
    who = publisher.created_by if publisher else ""
    reach = system_reach(f"baseline published by {who}" if who else "baselines")
    carried = Carried(subscription.baseline, subscription.wanted)
    bring_all(reach, carried, [subscription])


def _as_locked(reach: Reach, subscriptions: Sequence[Subscription]) -> list[Subscription]:
    """The rows as they are now that their organizations are held; those that are gone are gone."""
    rows = Subscription.objects.within(reach).filter(id__in=[s.id for s in subscriptions])
    return list(rows.select_related("organization", "target_group").order_by("organization_id", "id"))
