"""What waits to be told: counted per policy and person, due at once, or when the hour is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from policies.match_counts import Told
from policies.models import Action, Level, Notice, Policy
from portal.common import clock, queue
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

PAUSE = timedelta(minutes=60)
GROWN = 10


@transaction.atomic
def denied(reach: Reach, told: Sequence[Told]) -> int:
    """Note what policies stopped for real, for the people whom they tell. How many notices wait now because of it.

    `told` is the endpoints' word: a policy that cannot apply to the organization is left out, as are policies that tell
    nobody, are gone or are no denies. One statement when nobody is to be told.
    """
    ids = {one.policy for one in told}
    listening = list(
        Policy.objects.within(reach).filter(id__in=ids, action=Action.DENY).exclude(notify=[]).order_by("id")
    )
    if not listening:
        return 0
    organizations = list(Organization.objects.within(reach).values_list("id", "parent_id", "number"))
    noted = 0
    for policy in listening:
        numbers = _numbers_under(policy, organizations)
        mine = [one for one in told if one.policy == policy.id and one.organization_number in numbers]
        for address in policy.notify if mine else ():
            _note(reach, policy, address, sum(one.count for one in mine), max(one.last_at for one in mine))
            noted += 1
    if noted:
        queue.after_commit("policies.send_notices")
    return noted


def _numbers_under(policy: Policy, organizations: Sequence[tuple[UUID, UUID | None, int]]) -> set[int]:
    """The numbers of the organizations to whose computers a policy can apply."""
    under = {policy.organization_id}
    grows = policy.level == Level.GLOBAL
    while grows:
        more = {own for own, parent, _ in organizations if parent in under} - under
        under |= more
        grows = bool(more)
    return {number for own, _, number in organizations if own in under}


def _note(reach: Reach, policy: Policy, address: str, count: int, last_at: datetime) -> None:
    now = clock.now()
    mine = Notice.objects.within(reach)
    made, _ = mine.get_or_create(policy=policy, email=address, defaults={"organization_id": policy.organization_id})
    notice = mine.select_for_update(of=("self",)).get(id=made.id)
    waiting = notice.waiting + count
    Notice.objects.within(reach).filter(id=notice.id).update(
        waiting=F("waiting") + count,
        waiting_since=notice.waiting_since or now,
        last_at=max(last_at, notice.last_at or last_at),
        due_at=due_at(notice, waiting, now),
    )


def due_at(notice: Notice, waiting: int, now: datetime) -> datetime:
    """When the mail may go out that tells of `waiting` stopped actions.

    At once the first time and once the hour is over; within it only for ten times as many as the last mail told of. A
    mail that failed keeps the time of its next try.
    """
    if notice.tries and notice.due_at is not None:
        return notice.due_at
    if notice.told_at is None or waiting >= GROWN * notice.told_count:
        return now
    return max(now, notice.told_at + PAUSE)
