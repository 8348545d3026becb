"""What carrying a baseline would do at each follower, before it is done. By the same plan that carrying follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from policies.baselines import reading
from policies.baselines.followers import Follower, Following, load_following
from policies.baselines.lifecycle import Place
from policies.baselines.planning import NoRoom, Step
from policies.baselines.terms import Item, differing
from policies.models import Baseline, PolicyApplication, Subscription
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer
from portal.tenants.reach import Reach

_Own = dict[str, Any]


@dataclass(slots=True)
class Outlook:
    """One follower: `inherits` of the baseline's policies without an exception; the rest by name. `conflicts`: what a
    technician should look at; `fault`: why it cannot be brought at all; `computers`: whose bundles would change."""

    subscription: Subscription
    inherits: int = 0
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    computers: int = 0
    fault: str = ""
    may_write: bool = True

    @property
    def changes_something(self) -> bool:
        return bool(self.created or self.changed or self.moved or self.removed)


@dataclass(frozen=True, slots=True)
class Preview:
    """`version` is the number it would be published as."""

    baseline: Baseline
    version: int
    is_new: bool
    outlooks: tuple[Outlook, ...]

    @property
    def computers(self) -> int:
        return sum(o.computers for o in self.outlooks)

    @property
    def conflicts(self) -> int:
        return sum(len(o.conflicts) for o in self.outlooks)

    @property
    def affected(self) -> int:
        return sum(o.changes_something for o in self.outlooks)

    @property
    def said(self) -> str:
        """One sentence for the top of the page."""
        customers = (
            f"{self.affected} of {len(self.outlooks)} customers would change, {self.computers:,} computers touched"
        )
        return f"{customers}; {self.conflicts} things to look at." if self.conflicts else f"{customers}."


def preview(reach: Reach, baseline: Baseline, *, subscription_ids: Collection[UUID] | None = None) -> Preview:
    """What `publishing.carry` would do now at the followers in reach. A number of statements that does not grow."""
    rows = reading.subscriptions(reach, baseline_id=baseline.id)
    if subscription_ids is not None:
        rows = rows.filter(id__in=subscription_ids)
    following = load_following(reach, baseline, rows)
    newest = following.versions.get(baseline.version, [])
    items = following.live if following.live is not None else newest
    is_new = items != newest or baseline.version == 0
    return Preview(baseline, baseline.version + is_new, is_new, _outlooks(reach, following, items))


def preview_following(reach: Reach, baseline: Baseline, places: Iterable[Place]) -> Preview:
    """What `lifecycle.follow` would do at these places: of the newest version, or of the template before the first."""
    wanted = {(place.organization_id, place.group_id) for place in places}
    organizations = {o.id: o for o in tenants.organizations(reach).filter(id__in={o for o, _ in wanted})}
    groups = {g.id: g for g in tenants.groups(reach).filter(id__in={g for _, g in wanted if g})}
    rows = [
        Subscription(baseline=baseline, organization=organizations[o], target_group=groups.get(g) if g else None)
        for o, g in sorted(wanted, key=str)
        if o in organizations
    ]
    following = load_following(reach, baseline, rows)
    items = following.versions.get(baseline.version, []) if baseline.version else following.live or []
    return Preview(baseline, baseline.version or 1, baseline.version == 0, _outlooks(reach, following, items))


def _outlooks(reach: Reach, following: Following, items: list[Item]) -> tuple[Outlook, ...]:
    own = _own_policies(reach, following, items)
    computers = _computers(reach, following)
    return tuple(_outlook(reach, following, follower, items, own, computers) for follower in following.followers)


def _outlook(
    reach: Reach,
    following: Following,
    follower: Follower,
    items: list[Item],
    own: dict[UUID, list[_Own]],
    computers: dict[tuple[UUID, UUID | None], int],
) -> Outlook:
    subscription = follower.subscription
    found = Outlook(subscription, may_write=reach.can(Capability.POLICY_WRITE, subscription.organization_id))
    found.exceptions = [f"{e.name}: {e.get_kind_display().lower()}" for e in follower.exceptions.values()]
    try:
        steps = following.steps(follower, items)
    except NoRoom as full:
        found.fault = f"There is no free number for {full} in this list."
        return found
    has = {item.source: item for item in following.versions.get(subscription.version, [])}
    for step in steps:
        _sort(found, step, step.source in follower.exceptions)
        _warn(found, follower, step, has.get(step.source), own[subscription.organization_id])
    if found.changes_something:
        found.computers = computers.get((subscription.organization_id, subscription.target_group_id), 0)
    return found


def _sort(found: Outlook, step: Step, excepted: bool) -> None:
    if step.item is not None and not excepted and step.what != "misfit":
        found.inherits += 1
    lists = {"create": found.created, "change": found.changed, "remove": found.removed}
    if step.what in lists:
        lists[step.what].append(step.name)
    elif step.moves:
        found.moved.append(step.name)


def _warn(found: Outlook, follower: Follower, step: Step, base: Item | None, own: list[_Own]) -> None:
    say = found.conflicts.append
    if step.what == "misfit":
        say(f"{step.name}: {step.misfit}")
        return
    if step.what == "release":
        say(f"{step.name} is in the baseline no more: its own version here stays, as the organization's own policy.")
        return
    if step.displaced and step.item is not None and (step.what == "create" or step.moves):
        say(f"{step.name} gets the order {step.order:,}: {step.item.order:,} is taken here.")
    if step.what == "change" and step.present is not None and base is not None and not step.exempt:
        overwritten = differing(step.present.terms, base.terms)
        if overwritten and step.source not in follower.exceptions:
            say(f"{step.name} was changed here without an exception ({', '.join(overwritten)}): that is put back.")
    if step.what in ("create", "change") and step.terms is not None and step.terms.columns["enabled"]:
        for policy in own:
            _warn_of_own(found, step, policy)


def _warn_of_own(found: Outlook, step: Step, policy: _Own) -> None:
    if step.terms is None or policy["application"] not in step.terms.applications or policy["kind"] != _kind(step):
        return
    if step.what == "change" and step.present is not None and not step.moves:
        return
    words, theirs = found.conflicts.append, f"{policy['name']} ({policy['order']:,})"
    if policy["order"] == step.order:
        words(f"{theirs} has the same order as {step.name}: the stricter action decides first.")
    elif policy["order"] > step.order:
        words(
            f"{theirs} comes after {step.name} ({step.order:,}) on the same application: it decides less than before."
        )
    else:
        words(f"{theirs} decides before {step.name} ({step.order:,}) on the same application.")


def _kind(step: Step) -> str:
    return step.item.kind if step.item is not None else ""


def _own_policies(reach: Reach, following: Following, items: list[Item]) -> dict[UUID, list[_Own]]:
    """Per organization: its own enabled policies that name an application which the baseline names. One statement."""
    named = {application for item in items for application in item.terms.applications}
    sources = {item.source for version in (*following.versions.values(), items) for item in version}
    rows = PolicyApplication.objects.within(reach).filter(
        Q(policy__linked_to_id__isnull=True) | ~Q(policy__linked_to_id__in=sources),
        Q(policy__target_group__isnull=True) | Q(policy__target_group__is_template=False),
        organization_id__in={f.subscription.organization_id for f in following.followers},
        application_id__in=named,
        policy__enabled=True,
    )
    found: dict[UUID, list[_Own]] = defaultdict(list)
    values = rows.values_list("organization_id", "policy__name", "policy__order", "policy__kind", "application_id")
    for organization_id, name, order, kind, application in values.order_by("policy__order", "policy_id"):
        found[organization_id].append({"name": name, "order": order, "kind": kind, "application": str(application)})
    return found


def _computers(reach: Reach, following: Following) -> dict[tuple[UUID, UUID | None], int]:
    """How many computers of the baseline's system an organization, or a group of it, holds. One statement."""
    rows = (
        Computer.objects.within(reach)
        .filter(
            organization_id__in={f.subscription.organization_id for f in following.followers},
            os=following.baseline.os,
        )
        .order_by()
        .values_list("organization_id", "group_id")
        .annotate(n=Count("id"))
    )
    found: dict[tuple[UUID, UUID | None], int] = defaultdict(int)
    for organization_id, group_id, n in rows:
        found[organization_id, group_id] += n
        found[organization_id, None] += n
    return found
