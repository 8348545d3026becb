"""Pending changes: one row for each saved thing that changes some bundle, until a deployment takes it along.

`bump` is the last step of every write of this floor. Nothing here starts a deployment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, models, transaction
from django.db.models import Count, Min, Q, QuerySet

from policies.models import Change, Level, Revision
from policies.scopes import Scope
from portal.common import clock
from portal.common.errors import NotFound
from portal.common.uuid7 import uuid7
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, ComputerGroup
from portal.tenants.reach import Reach


@transaction.atomic
def bump(reach: Reach, scope: Scope, *, verb: str, summary: str, thing: models.Model) -> None:
    """Record that bundles of `scope` change, and raise the organization's revision. In the write's transaction."""
    bump_many(reach, scope, [(verb, summary, thing)])


@transaction.atomic
def bump_many(reach: Reach, scope: Scope, things: Sequence[tuple[str, str, models.Model]]) -> None:
    """`bump` for many things of one scope at once: (verb, summary, thing) each. As many statements as for one.

    A template holds no computer: what changes there is in no bundle and waits for nothing.
    """
    if not things:
        return
    if _is_template(reach, scope):
        touch(reach, scope.organization_id)
        return
    now = clock.now()
    made = Change.rows.bulk_create(
        Change(
            organization_id=scope.organization_id,
            level=scope.level,
            target=scope.target,
            verb=verb,
            summary=summary[:300],
            object_type=thing._meta.model_name or "",
            object_id=thing.pk,
            actor_kind=reach.actor.kind,
            actor_id=reach.actor.id,
            actor_name=reach.actor.name,
            created_at=now,
        )
        for verb, summary, thing in things
    )
    _raise_revision(scope.organization_id, max(change.number for change in made))


def _is_template(reach: Reach, scope: Scope) -> bool:
    if scope.level != Level.GROUP:
        return False
    return ComputerGroup.objects.within(reach).filter(id=scope.target, is_template=True).exists()


@transaction.atomic
def touch(reach: Reach, organization_id: UUID) -> None:
    """Something was saved that changes no bundle (a disabled policy, say), but what `evaluate` tells about it."""
    if not reach.sees(organization_id):
        raise NotFound
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('policies_change_number')")
        number = cursor.fetchone()[0]
    _raise_revision(organization_id, number)


def revisions(reach: Reach, organization_ids: Iterable[UUID]) -> tuple[tuple[str, int], ...]:
    """(organization id, revision) of those that have one, sorted: changes whenever what applies there changes."""
    rows = Revision.objects.within(reach).filter(organization_id__in=list(organization_ids))
    return tuple(sorted((str(o), number) for o, number in rows.values_list("organization_id", "number")))


def _raise_revision(organization_id: UUID, number: int) -> None:
    """`number` is fresh from the sequence: no transaction, rolled back or not, has ever used it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO policies_revision (id, organization_id, number) VALUES (%s, %s, %s)"
            " ON CONFLICT (organization_id) DO UPDATE SET number ="
            " greatest(policies_revision.number, excluded.number)",
            [uuid7(), organization_id, number],
        )


def pending(reach: Reach, organization_ids: Iterable[UUID] | None = None) -> QuerySet[Change]:
    """Changes in reach that no deployment has taken along, newest first; of these organizations only, if given."""
    found = Change.objects.within(reach).filter(deployment_id__isnull=True).select_related("organization")
    if organization_ids is not None:
        found = found.filter(organization_id__in=list(organization_ids))
    return found.order_by("-number")


def pending_verbs(reach: Reach, object_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Of these policies or applications the ones with a pending change, and the verb of the newest one."""
    rows = pending(reach).filter(object_id__in=list(object_ids)).order_by("number")
    return dict(rows.values_list("object_id", "verb"))


def computer_moved(reach: Reach, computer: Computer) -> None:
    """A computer went to another group: its bundle changes. The hook that tenants call, in their transaction."""
    scope = Scope(computer.organization_id, Level.COMPUTER, computer.id)
    summary = f"{computer.name} moved to {computer.group}"
    bump(reach, scope, verb="computer.moved", summary=summary, thing=computer)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a deployment at one organization. `people`: (name, changes), most first."""

    organization_id: UUID
    count: int
    oldest_at: datetime
    people: tuple[tuple[str, int], ...]


def waiting(reach: Reach, organization_ids: Iterable[UUID] | None = None) -> list[Waiting]:
    """Per organization with pending changes: how many, since when, by whom. Most changes first. One statement."""
    rows = (
        pending(reach, organization_ids)
        .order_by()
        .values("organization_id", "actor_name")
        .annotate(count=Count("id"), oldest=Min("created_at"))
    )
    per: dict[UUID, list[tuple[str, int, datetime]]] = {}
    for row in rows:
        per.setdefault(row["organization_id"], []).append((row["actor_name"], row["count"], row["oldest"]))
    found = [
        Waiting(
            organization_id,
            sum(count for _, count, _ in people),
            min(oldest for _, _, oldest in people),
            tuple((name, count) for name, count, _ in sorted(people, key=lambda one: (-one[1], one[0]))),
        )
        for organization_id, people in per.items()
    ]
    return sorted(found, key=lambda one: (-one.count, str(one.organization_id)))


@transaction.atomic
def mark_deployed(
    reach: Reach, *, deployment_id: UUID, organization_id: UUID, level: Level | str, target_id: UUID
) -> int:
    """Say that a deployment to this scope takes along what is pending there; how many changes that is.

    Call it in the transaction that makes the deployment, before anything is compiled: what is saved later stays
    pending. Global: the global changes of that target, and when the target is an organization every change of it
    and of all beneath. Organization: all its changes but global ones. Group: the group's and its computers'.
    """
    mine = Change.objects.within(reach).filter(deployment_id__isnull=True)
    return mine.filter(_covered(reach, organization_id, Level(level), target_id)).update(deployment_id=deployment_id)


def pending_at(reach: Reach, *, organization_id: UUID, level: Level | str, target_id: UUID) -> QuerySet[Change]:
    """What is pending and a deployment to this scope would take along, newest first."""
    return pending(reach).filter(_covered(reach, organization_id, Level(level), target_id))


def mark_pending(reach: Reach, *, deployment_id: UUID) -> int:
    """Say that what a deployment took along waits again: it was rolled back. How many changes that is."""
    return Change.objects.within(reach).filter(deployment_id=deployment_id).update(deployment_id=None)


def _covered(reach: Reach, organization_id: UUID, level: Level, target_id: UUID) -> Q:
    if level == Level.GLOBAL and target_id == organization_id:
        return Q(organization_id__in=tenants.beneath(reach, organization_id))
    own = Q(organization_id=organization_id)
    if level == Level.ORGANIZATION:
        return own & ~Q(level=Level.GLOBAL)
    exactly = Q(level=level, target=target_id)
    if level == Level.GROUP:
        computers = Computer.objects.within(reach).filter(group_id=target_id).values("id")
        exactly |= Q(level=Level.COMPUTER, target__in=computers)
    return own & exactly
