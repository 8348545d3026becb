"""Exceptions: one follower has one policy of its baseline otherwise, for a reason, until somebody looks again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from policies import authoring, queries
from policies.baselines import reading
from policies.baselines.bringing import Brought, bring
from policies.baselines.followers import Follower, Following, load_following
from policies.baselines.planning import Present
from policies.baselines.terms import Item
from policies.drafting import draft_from
from policies.drafts import draft_of
from policies.models import BaselineException, ExceptionKind, Policy, Subscription
from policies.scopes import lock_organization
from portal.common import clock
from portal.common.errors import Conflict, FieldError, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

MOST_DAYS = 366


@transaction.atomic
def make_exception(
    reach: Reach,
    subscription_id: UUID | str,
    source: UUID,
    *,
    kind: str,
    reason: str,
    review_on: date,
    changes: dict[str, Any] | None = None,
) -> BaselineException:
    """Leave a policy of the baseline out here, or have it otherwise.

    `without`: it stays listed, and off. `changed`: what it says now (after `changes`, if given) is what is accepted,
    and it can be edited like any other. Raises NotFound, Forbidden, Invalid without a reason or a review date within
    a year, Conflict for one that is in force. Locks the organization.
    """
    subscription, following, follower = _locked(reach, subscription_id)
    item = _item(following, follower, source)
    _check(kind, reason, review_on)
    if source in follower.exceptions:
        raise Conflict(f"There is an exception for {item.name} here already. Change or end that one.")
    present = follower.present.get(source)
    if kind == ExceptionKind.CHANGED and present is None:
        raise Refused(f"{item.name} is not there yet. Carry the baseline first, then change it here.", code="missing")
    accepted = present.terms if present and kind == ExceptionKind.CHANGED else item.terms.switched_off()
    made = BaselineException(
        organization_id=subscription.organization_id,
        subscription=subscription,
        source=source,
        name=item.name,
        kind=kind,
        reason=reason.strip(),
        review_on=review_on,
        accepted=accepted.as_json(),
        version=subscription.version,
        created_at=clock.now(),
        created_by=reach.actor.name,
        accepted_at=clock.now(),
        accepted_by=reach.actor.name,
    )
    made.save(force_insert=True)
    _tell(reach, "baseline_exception.made", made, kind=kind, reason=made.reason, review_on=review_on)
    if kind == ExceptionKind.WITHOUT:
        _put_back(reach, following, follower, [source], made, verb="baseline.left_out")
    elif changes and present:
        _change_here(reach, made, present, changes)
    return made


@transaction.atomic
def accept(reach: Reach, exception_id: UUID | str, *, review_on: date, reason: str | None = None) -> BaselineException:
    """Look at an exception again: what the policy says now is accepted, until the new review date.

    Raises NotFound, Forbidden, Invalid, Conflict for one that has ended. Locks the organization.
    """
    found, _, follower = _locked_exception(reach, exception_id)
    reason = found.reason if reason is None else reason
    _check(found.kind, reason, review_on)
    present = follower.present.get(found.source)
    before = {"review_on": found.review_on, "reason": found.reason}
    if found.kind == ExceptionKind.CHANGED and present is not None:
        found.accepted = present.terms.as_json()
    found.version = follower.subscription.version
    found.reason, found.review_on = reason.strip(), review_on
    found.accepted_at, found.accepted_by = clock.now(), reach.actor.name
    found.save(update_fields=["accepted", "version", "reason", "review_on", "accepted_at", "accepted_by"])
    _tell(reach, "baseline_exception.accepted", found, before=before, reason=found.reason, review_on=review_on)
    return found


@transaction.atomic
def end_exception(reach: Reach, exception_id: UUID | str, *, note: str = "") -> BaselineException:
    """End an exception: the baseline's version is put back. Raises NotFound, Forbidden, Conflict, Refused."""
    found, following, follower = _locked_exception(reach, exception_id)
    found.ended_at, found.ended_by, found.end_note = clock.now(), reach.actor.name, note[:300]
    found.save(update_fields=["ended_at", "ended_by", "end_note"])
    _tell(reach, "baseline_exception.ended", found, note=note)
    _put_back(reach, following, follower, [found.source], None)
    return found


@transaction.atomic
def put_back(reach: Reach, subscription_id: UUID | str, sources: Collection[UUID]) -> Brought:
    """Put policies back: to what the baseline says in the version that is here, or to what an exception accepted.

    Raises NotFound, Forbidden, Refused. Locks the organization.
    """
    _, following, follower = _locked(reach, subscription_id)
    for source in sources:
        _item(following, follower, source)
    subscription = follower.subscription
    return bring(reach, following, follower, subscription.version, verb="baseline.put_back", only=set(sources))


def item_of(reach: Reach, subscription: Subscription, source: UUID) -> Item:
    """The baseline's policy that an exception would be about. Raises NotFound."""
    following = load_following(reach, subscription.baseline, [subscription])
    return _item(following, following.followers[0], source)


def policy_of(reach: Reach, exception: BaselineException) -> Policy | None:
    """The follower's own row of what an exception is about."""
    subscription = exception.subscription
    found: Policy | None = (
        Policy.objects.within(reach)
        .filter(
            linked_to_id=exception.source,
            organization_id=subscription.organization_id,
            target_group_id=subscription.target_group_id,
        )
        .first()
    )
    return found


def _put_back(
    reach: Reach,
    following: Following,
    follower: Follower,
    sources: list[UUID],
    exception: BaselineException | None,
    *,
    verb: str = "baseline.put_back",
) -> None:
    """Once an exception has begun or ended: what it means for the policy. What is not carried yet has no policy."""
    for source in sources:
        if exception is None:
            follower.exceptions.pop(source, None)
        else:
            follower.exceptions[source] = exception
    subscription = follower.subscription
    armed = [follower.present[s].id for s in sources if s in follower.armed and s in follower.present]
    if armed:
        Policy.objects.within(reach).filter(id__in=armed).update(armed_until=None)
    if subscription.version:
        bring(reach, following, follower, subscription.version, verb=verb, only=set(sources))


def _change_here(reach: Reach, made: BaselineException, present: Present, changes: dict[str, Any]) -> None:
    policy = queries.policy(reach, present.id)
    was = draft_of(policy, [application.id for application in policy.named_applications])
    authoring.update_policy(reach, policy.id, draft=draft_from(reach, changes, base=was))
    now = load_following(reach, made.subscription.baseline, [made.subscription]).followers[0].present[made.source]
    made.accepted = now.terms.as_json()
    made.save(update_fields=["accepted"])


def _locked(reach: Reach, subscription_id: UUID | str) -> tuple[Subscription, Following, Follower]:
    seen = reading.subscription(reach, subscription_id)
    reach.require(Capability.POLICY_WRITE, seen.organization_id)
    lock_organization(reach, seen.organization_id)
    subscription = reading.subscription(reach, subscription_id)
    following = load_following(reach, subscription.baseline, [subscription])
    return subscription, following, following.followers[0]


def _locked_exception(reach: Reach, exception_id: UUID | str) -> tuple[BaselineException, Following, Follower]:
    seen = reading.exception(reach, exception_id)
    _, following, follower = _locked(reach, seen.subscription_id)
    found = reading.exception(reach, exception_id)
    if found.ended_at is not None:
        raise Conflict(f"This exception was ended by {found.ended_by} already.")
    return found, following, follower


def _item(following: Following, follower: Follower, source: UUID) -> Item:
    """The baseline's policy that is meant: as the follower has it, or as it will come. Raises NotFound."""
    numbers = (follower.subscription.version, following.baseline.version)
    said = [*(following.versions.get(number, []) for number in numbers), following.live or []]
    for items in said:
        for item in items:
            if item.source == source:
                return item
    raise NotFound


def _check(kind: str, reason: str, review_on: date) -> None:
    errors = []
    if kind not in ExceptionKind.values:
        errors.append(FieldError("/kind", f"This must be one of {', '.join(ExceptionKind.values)}."))
    if not reason.strip():
        errors.append(FieldError("/reason", "Say why: somebody will ask when the review is due."))
    if len(reason) > 1000:
        errors.append(FieldError("/reason", "This may have 1000 characters at most."))
    if not reading.today() < review_on <= reading.today() + timedelta(days=MOST_DAYS):
        errors.append(FieldError("/review_on", "Choose a day within a year on which somebody looks at it again."))
    if errors:
        raise Invalid(errors)


def _tell(
    reach: Reach, verb: str, exception: BaselineException, *, before: dict[str, Any] | None = None, **after: Any
) -> None:
    journal.record(
        reach,
        verb,
        exception,
        organization_id=exception.organization_id,
        before=before,
        after=after,
        baseline=str(exception.subscription.baseline_id),
    )
