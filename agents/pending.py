"""What waits for a deployment, and what pressing would reach: the pending bar and the review sheet read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from agents.models import ComputerKey
from agents.models.identity import KeyState
from policies import changes
from policies.models import Change, Level
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach

MOST_CHANGES = 500


@dataclass(frozen=True, slots=True)
class Bar:
    """The pending bar. `people`: (name, changes), most first, at most three; `others`: how many more changes."""

    count: int
    people: tuple[tuple[str, int], ...]
    others: int
    oldest_at: datetime
    organizations: tuple[tuple[Organization, int], ...]


@dataclass(frozen=True, slots=True)
class ListedChange:
    """A pending change with the name of where it takes effect."""

    change: Change
    target_name: str
    is_removal: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """One scope that may be deployed: how many pending changes it takes along, how many computers it reaches."""

    level: Level
    target_id: UUID
    name: str
    changes: int
    computers: int

    @property
    def value(self) -> str:
        return f"{self.level}:{self.target_id}"


def bar(reach: Reach, organization: Organization | None) -> Bar | None:
    """What waits in this context where the reader may see policies; None when nothing does. Two statements."""
    seen = _readable(reach, organization)
    waiting = changes.waiting(reach, seen)
    if not waiting:
        return None
    people: Counter[str] = Counter()
    for one in waiting:
        people.update(dict(one.people))
    rows = {o.id: o for o in Organization.objects.within(reach).filter(pk__in=[w.organization_id for w in waiting])}
    most = tuple(people.most_common(3))
    total = sum(one.count for one in waiting)
    return Bar(
        count=total,
        people=most,
        others=total - sum(count for _, count in most),
        oldest_at=min(one.oldest_at for one in waiting),
        organizations=tuple((rows[w.organization_id], w.count) for w in waiting if w.organization_id in rows),
    )


def listed_changes(reach: Reach, organization: Organization | None) -> list[ListedChange]:
    """The pending changes of this context, removals first, then newest first; at most `MOST_CHANGES`."""
    found = list(changes.pending(reach, _readable(reach, organization))[:MOST_CHANGES])
    names = _names(reach, [change.target for change in found])
    listed = [
        ListedChange(change, names.get(change.target, ""), change.verb.endswith((".deleted", ".removed", ".disabled")))
        for change in found
    ]
    return sorted(listed, key=lambda one: not one.is_removal)


def offers(reach: Reach, organization: Organization) -> list[Offer]:
    """The organization itself, then each of its groups and computers with changes of its own. Four statements."""
    waiting = Counter(changes.pending(reach, [organization.id]).order_by().values_list("level", "target"))
    per_group = _enrolled_by_group(reach, organization.id)
    own = sum(count for (level, _), count in waiting.items() if level != Level.GLOBAL)
    found = [Offer(Level.ORGANIZATION, organization.id, organization.name, own, sum(per_group.values()))]
    groups = {g.id: g for g in ComputerGroup.objects.within(reach).filter(organization=organization)}
    computers = {
        c.id: c
        for c in Computer.objects.within(reach).filter(pk__in=[t for (level, t) in waiting if level == "computer"])
    }
    in_group: Counter[UUID] = Counter()
    for (level, target), count in waiting.items():
        if level == Level.GROUP and target in groups:
            in_group[target] += count
        if level == Level.COMPUTER and target in computers:
            in_group[computers[target].group_id] += count
            found.append(Offer(Level.COMPUTER, target, computers[target].name, count, 1))
    found += [
        Offer(Level.GROUP, group_id, groups[group_id].name, count, per_group.get(group_id, 0))
        for group_id, count in in_group.items()
        if group_id in groups
    ]
    return [found[0], *sorted(found[1:], key=lambda one: (one.level != Level.GROUP, one.name))]


def global_offer(reach: Reach) -> Offer | None:
    """Everything beneath the organization at the top, for who may deploy globally there."""
    top = (
        Organization.objects.within(reach)
        .filter(parent=None, pk__in=reach.with_capability(Capability.GLOBAL_DEPLOY))
        .first()
    )
    if top is None:
        return None
    computers = ComputerKey.objects.within(reach).filter(state=KeyState.ACTIVE).count()
    return Offer(Level.GLOBAL, top.id, "all organizations", changes.pending(reach).count(), computers)


def _readable(reach: Reach, organization: Organization | None) -> list[UUID]:
    if organization is not None:
        return [organization.id] if reach.can(Capability.POLICY_READ, organization.id) else []
    return list(reach.with_capability(Capability.POLICY_READ))


def _enrolled_by_group(reach: Reach, organization_id: UUID) -> dict[UUID, int]:
    rows = (
        ComputerKey.objects.within(reach)
        .filter(organization_id=organization_id, state=KeyState.ACTIVE)
        .order_by()
        .values_list("computer__group_id")
        .annotate(count=Count("id"))
    )
    return dict(rows)


def _names(reach: Reach, targets: Sequence[UUID]) -> dict[UUID, str]:
    """What organizations, groups and computers are called. Three statements."""
    found: dict[UUID, str] = {}
    for model in (Organization, ComputerGroup, Computer):
        found.update(model.objects.within(reach).filter(pk__in=targets).values_list("id", "name"))
    return found
