"""What followers of a baseline have of it: read for many at once, in a number of statements that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from policies.baselines import reading
from policies.baselines.planning import Exempt, Present, Step, plan
from policies.baselines.terms import Item, terms_from, terms_of
from policies.models import Application, Baseline, BaselineException, Level, Policy, Subscription
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

_Target = tuple[UUID, UUID | None]  # organization, group or None


@dataclass(slots=True)
class Follower:
    """One subscription and what it has. `taken`: numbers of other policies at the same target."""

    subscription: Subscription
    present: dict[UUID, Present] = field(default_factory=dict)
    armed: set[UUID] = field(default_factory=set)
    exceptions: dict[UUID, BaselineException] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)

    @property
    def exempt(self) -> dict[UUID, Exempt]:
        return {source: exempt_of(exception) for source, exception in self.exceptions.items()}


def exempt_of(exception: BaselineException) -> Exempt:
    """An exception as the plan takes it."""
    return Exempt(exception.kind, terms_from(exception.accepted))


@dataclass(slots=True)
class Ground:
    """What decides whether an organization can have a policy: which applications it may name."""

    parents: Mapping[UUID, UUID | None]
    owners: Mapping[str, UUID | None]

    def misfits(self, organization_id: UUID, items: Iterable[Item]) -> dict[UUID, str]:
        """Source -> why it cannot be had there."""
        line = self._line(organization_id)
        found = {}
        for item in items:
            for application, name in zip(item.terms.applications, item.names, strict=False):
                if application not in self.owners:
                    found[item.source] = f"{name} is no more."
                elif self.owners[application] is not None and self.owners[application] not in line:
                    found[item.source] = f"{name} is not visible to this organization."
        return found

    def _line(self, organization_id: UUID) -> set[UUID]:
        line, above = {organization_id}, self.parents.get(organization_id)
        while above is not None:
            line.add(above)
            above = self.parents.get(above)
        return line


@dataclass(slots=True)
class Following:
    """A baseline, some of its followers, and the versions that matter to them. `live`: its template, if readable."""

    baseline: Baseline
    followers: list[Follower]
    versions: dict[int, list[Item]]
    live: list[Item] | None
    ground: Ground

    def steps(self, follower: Follower, items: Sequence[Item], *, restore: Collection[UUID] = ()) -> list[Step]:
        """What brings a follower to `items`. Raises NoRoom."""
        misfits = self.ground.misfits(follower.subscription.organization_id, items)
        return plan(items, follower.present.values(), follower.exempt, follower.taken, misfits, restore)


def load_following(
    reach: Reach, baseline: Baseline, subscriptions: Iterable[Subscription], *, versions: Iterable[int] = ()
) -> Following:
    """What these subscriptions have, and what the versions say that they are at, that are wanted and asked for.

    Ten statements, however many there are.
    """
    mine = list(subscriptions)
    numbers = {baseline.version, *versions, *(s.version for s in mine), *(s.wanted for s in mine)}
    followers = [Follower(subscription) for subscription in mine]
    _add_exceptions(reach, followers)
    numbers |= {e.version for follower in followers for e in follower.exceptions.values()}
    said = reading.items_of(reach, baseline.id, numbers)
    live = reading.source_items(reach, baseline)
    items = [item for version in said.values() for item in version] + (live or [])
    _add_policies(reach, followers, {item.source for item in items})
    return Following(baseline, followers, said, live, _ground(reach, items))


def _add_exceptions(reach: Reach, followers: list[Follower]) -> None:
    by_id = {follower.subscription.id: follower for follower in followers}
    rows = BaselineException.objects.within(reach).filter(subscription_id__in=list(by_id), ended_at__isnull=True)
    for exception in rows:
        by_id[exception.subscription_id].exceptions[exception.source] = exception


def _add_policies(reach: Reach, followers: list[Follower], sources: set[UUID]) -> None:
    at: dict[_Target, Follower] = {
        (f.subscription.organization_id, f.subscription.target_group_id): f for f in followers
    }
    rows = Policy.objects.within(reach).filter(
        organization_id__in={organization for organization, _ in at},
        level__in=(Level.ORGANIZATION, Level.GROUP),
        is_default=False,
    )
    linked = {row.id: row for row in rows.filter(linked_to_id__in=sources)}
    named = reading.applications_of(reach, linked)
    for row in linked.values():
        follower = at.get((row.organization_id, row.target_group_id))
        if follower is not None and row.linked_to_id is not None:
            terms = terms_of(row, named[row.id])
            follower.present[row.linked_to_id] = Present(row.id, row.linked_to_id, row.order, row.kind, terms)
            if row.armed_until is not None:
                follower.armed.add(row.linked_to_id)
    others = rows.exclude(id__in=list(linked)).values_list("organization_id", "target_group_id", "order")
    for organization_id, group_id, order in others:
        if (organization_id, group_id) in at:
            at[organization_id, group_id].taken.add(order)


def _ground(reach: Reach, items: Iterable[Item]) -> Ground:
    named = {application for item in items for application in item.terms.applications}
    rows = Application.objects.within(reach).filter(id__in=named).values_list("id", "organization_id")
    owners = {str(application): organization for application, organization in rows}
    return Ground(dict(Organization.objects.within(reach).values_list("id", "parent_id")), owners)
