"""Making one follower what a version of its baseline says. A fixed number of statements, however many policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Model

from policies import changes, placing
from policies.baselines.followers import Follower, Following
from policies.baselines.planning import NoRoom, Step
from policies.baselines.terms import CARRIED
from policies.models import Baseline, BaselineException, Level, Policy, PolicyApplication, Subscription
from policies.scopes import Scope
from portal.common import clock
from portal.common.errors import Refused
from portal.tenants import journal
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

GONE = "The baseline has this policy no more."
_VERBS = {"create": "policy.created", "change": "policy.changed", "remove": "policy.deleted", "keep": "policy.moved"}
_TOLD = ("created", "changed", "removed", "released", "moved", "misfits")
_DONE = {"create": "created", "change": "changed", "remove": "deleted", "keep": "moved"}


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of a follower's policies: their names. `unlinked`: (source, policy) of those that were released."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()
    unlinked: tuple[tuple[UUID, UUID], ...] = ()

    @property
    def anything(self) -> bool:
        return bool(self.created or self.changed or self.removed or self.released or self.moved)


def lock_organizations(reach: Reach, organization_ids: Iterable[UUID]) -> None:
    """Hold many organizations' rows until the transaction ends, always in the order of their ids: no two who do so
    wait for each other."""
    rows = Organization.objects.within(reach).filter(id__in=set(organization_ids)).order_by("id")
    list(rows.select_for_update().values_list("id", flat=True))


def bring(
    reach: Reach,
    following: Following,
    follower: Follower,
    number: int,
    *,
    verb: str = "baseline.carried",
    only: Collection[UUID] | None = None,
) -> Brought:
    """Make the follower's policies what version `number` says, exceptions kept. Its organization is locked.

    `only`: these policies (their exceptions go back to what was accepted); the others keep what they say, but all of
    them stand in the baseline's order. Raises Refused when there is no room for the numbers.
    """
    try:
        steps = following.steps(follower, following.versions[number], restore=only or ())
    except NoRoom as full:
        raise Refused(
            f"There is no free number for {full} in this list: renumber it, or move the baseline's policies up.",
            code="no_room",
        ) from full
    if only is not None:
        steps = [step for step in steps if step.source in only or (step.what in ("keep", "change"))]
        steps = [step if step.source in only else _only_moved(step) for step in steps]
    made = _write(reach, follower, steps)
    brought = _summed_up(steps)
    if only is None:
        known = {item.source for item in (*following.versions[number], *(following.live or ()))}
        _end_exceptions(reach, follower, follower.exceptions.keys() - known)
        _mark(follower.subscription, number)
    _tell(reach, following.baseline, follower.subscription, brought, verb, number)
    _count_changes(reach, following.baseline, follower, steps, made)
    return brought


def _only_moved(step: Step) -> Step:
    return replace(step, what="keep", differs=())


def _write(reach: Reach, follower: Follower, steps: list[Step]) -> dict[UUID, UUID]:
    """Remove, let go, renumber, create, change: in this order no number is ever there twice. Source -> new policy."""
    gone = [step.present.id for step in steps if step.what == "remove" and step.present]
    if gone:
        Policy.objects.within(reach).filter(id__in=gone).delete()
    released = [step.present.id for step in steps if step.what == "release" and step.present]
    if released:
        Policy.objects.within(reach).filter(id__in=released).update(linked_to=None)
    moved = {s.present.id: (s.present.order, s.order) for s in steps if s.moves and s.present}
    placing.renumber(moved, by=reach.actor.name)
    created = _create(reach, follower.subscription, [step for step in steps if step.what == "create"])
    _change(reach, follower.subscription, [step for step in steps if step.what == "change"])
    _end_exceptions(reach, follower, {step.source for step in steps if step.what in ("remove", "release")})
    return created


def _create(reach: Reach, subscription: Subscription, steps: list[Step]) -> dict[UUID, UUID]:
    made = []
    for step in steps:
        if step.terms is None or step.item is None:
            continue
        policy = Policy(**step.terms.column_values(), **subscription.scope_columns)
        policy.kind, policy.order, policy.linked_to_id = step.item.kind, step.order, step.source
        policy.created_by = policy.changed_by = reach.actor.name
        made.append((policy, step.terms.applications))
    if made:
        Policy.rows.bulk_create(policy for policy, _ in made)
        _name_applications(subscription, [(policy.id, applications) for policy, applications in made])
    return {policy.linked_to_id: policy.id for policy, _ in made if policy.linked_to_id is not None}


def _change(reach: Reach, subscription: Subscription, steps: list[Step]) -> None:
    rows, renamed = [], []
    for step in steps:
        if step.terms is None or step.present is None:
            continue
        policy = Policy(id=step.present.id, **step.terms.column_values())
        policy.changed_by, policy.changed_at = reach.actor.name, clock.now()
        rows.append(policy)
        if "applications" in step.differs:
            renamed.append((step.present.id, step.terms.applications))
    if rows:
        Policy.rows.bulk_update(rows, [*CARRIED, "changed_by", "changed_at"])
    if renamed:
        PolicyApplication.objects.within(reach).filter(policy_id__in=[policy for policy, _ in renamed]).delete()
        _name_applications(subscription, renamed)


def _name_applications(subscription: Subscription, named: list[tuple[UUID, tuple[str, ...]]]) -> None:
    PolicyApplication.rows.bulk_create(
        PolicyApplication(
            organization_id=subscription.organization_id,
            policy_id=policy_id,
            application_id=UUID(application),
            position=position,
        )
        for policy_id, applications in named
        for position, application in enumerate(applications)
    )


def _end_exceptions(reach: Reach, follower: Follower, sources: Collection[UUID]) -> None:
    over = [exception.id for source, exception in follower.exceptions.items() if source in sources]
    if over:
        BaselineException.objects.within(reach).filter(id__in=over).update(
            ended_at=clock.now(), ended_by=reach.actor.name, end_note=GONE
        )


def _mark(subscription: Subscription, number: int) -> None:
    subscription.version = subscription.wanted = number
    subscription.fault, subscription.carried_at = "", clock.now()
    subscription.save(update_fields=["version", "wanted", "fault", "carried_at"])


def _summed_up(steps: list[Step]) -> Brought:
    def names(what: str) -> tuple[str, ...]:
        return tuple(step.name for step in steps if step.what == what)

    moved = tuple(step.name for step in steps if step.moves)
    unlinked = tuple((step.source, step.present.id) for step in steps if step.what == "release" and step.present)
    removed, released = names("remove"), names("release")
    return Brought(names("create"), names("change"), removed, released, moved, names("misfit"), unlinked)


def _tell(
    reach: Reach,
    baseline: Baseline,
    subscription: Subscription,
    brought: Brought,
    verb: str,
    number: int,
) -> None:
    told = {name: list(getattr(brought, name)) for name in _TOLD if getattr(brought, name)}
    journal.record(
        reach,
        verb,
        baseline,
        organization_id=subscription.organization_id,
        after={"version": number, **told},
        subscription=str(subscription.id),
    )


def _count_changes(
    reach: Reach, baseline: Baseline, follower: Follower, steps: list[Step], made: dict[UUID, UUID]
) -> None:
    """Each policy that changes some bundle waits for a deployment there."""
    subscription = follower.subscription
    target = subscription.target_group_id or subscription.organization_id
    level = Level.GROUP if subscription.target_group_id else Level.ORGANIZATION
    scope = Scope(subscription.organization_id, level, target)
    things = [_pending(step, baseline, made) for step in steps if _changes_bundles(step, follower.armed)]
    if things:
        changes.bump_many(reach, scope, things)
    elif any(step.what not in ("keep", "misfit") or step.moves for step in steps):
        changes.touch(reach, subscription.organization_id)


def _changes_bundles(step: Step, armed: Collection[UUID]) -> bool:
    """What is disabled before and after is in no bundle, unless it is armed."""
    if step.what not in _VERBS or (step.what == "keep" and not step.moves):
        return False
    was = step.present is not None and step.present.terms.columns["enabled"]
    becomes = step.what != "remove" and step.terms is not None and step.terms.columns["enabled"]
    return bool(was or becomes or step.source in armed)


def _pending(step: Step, baseline: Baseline, made: dict[UUID, UUID]) -> tuple[str, str, Model]:
    thing = Policy(id=step.present.id if step.present else made[step.source], name=step.name)
    return _VERBS[step.what], f"{step.name} {_DONE[step.what]} by the baseline {baseline.name}", thing
