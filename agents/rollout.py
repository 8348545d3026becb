"""Building and offering what deployments ask for. Safe to run any number of times, in any number of workers at once.

A worker claims a few targets (skipping those that others hold), compiles and signs outside of any transaction, and
stores the result only where its lease still stands. A killed worker's lease runs out and others go on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q

from agents import bundles, contents, wake
from agents.bundles import Built, Standing
from agents.models import Delivery, Deployment, DeploymentTarget, Manifest
from agents.models.deployments import DeploymentState, TargetState
from agents.wake import Hint
from policies.compile import Snapshot
from portal.common import clock, queue
from portal.common.uuid7 import uuid7
from portal.tenants import journal
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

log = structlog.get_logger(__name__)

CLAIM = 25
LEASE = timedelta(seconds=30)
BUDGET = timedelta(seconds=15)
MAX_ATTEMPTS = 5
WHY = "deployment"
_LEASES = 0x6C656173  # class of the advisory locks that living workers hold, one a lease
_BUILT_FIELDS = ("state", "manifest", "lease", "lease_until", "built_at", "offered_at", "finished_at")


def run_deployment(deployment_id: UUID) -> int:
    """Build and offer what one deployment still waits for; how many computers that were.

    Stops after `BUDGET` and asks to be called again: a task stays short, so that a lost one is found soon.
    """
    started, done = clock.now(), 0
    saved: dict[UUID, Snapshot] = {}
    while clock.now() - started < BUDGET:
        lease = uuid7()
        with _held(lease):
            claimed = _claim(deployment_id, lease)
            if not claimed:
                return done
            done += _build_claimed(deployment_id, lease, claimed, saved)
    queue.publish("agents.run_deployment", deployment_id=str(deployment_id))
    return done


def build_owed_bundles(organization_id: UUID) -> int:
    """Build for the computers of one organization that are owed a bundle outside of any deployment: newly enrolled,
    moved to another group, or in another mode than was signed. How many got a new one."""
    started, done = clock.now(), 0
    while clock.now() - started < BUDGET:
        claimed = _claim_owed(organization_id)
        if not claimed:
            break
        done += _build_owed_bundles(organization_id, claimed)
    return done


def _claim_owed(organization_id: UUID) -> list[UUID]:
    """Take up to `CLAIM` computers that are due, by putting their time off for as long as a lease."""
    with reaching(system_reach(WHY)) as system:
        now = clock.now()
        rows = Delivery.objects.within(system).filter(organization_id=organization_id)
        due = rows.filter(rebuild_due_at__lte=now).order_by("rebuild_due_at", "id")
        locked = due.select_for_update(skip_locked=True, of=("self",))
        computers = list(locked.values_list("computer_id", flat=True)[:CLAIM])
        rows.filter(computer_id__in=computers).update(rebuild_due_at=now + LEASE)
    return computers


def _build_owed_bundles(organization_id: UUID, computer_ids: Sequence[UUID]) -> int:
    with reaching(system_reach(WHY)) as system:
        standings = bundles.standings(system, computer_ids)
        keyless = set(computer_ids) - {s.computer.id for s in standings}
        Delivery.objects.within(system).filter(computer_id__in=keyless).update(rebuild_due_at=None)
        deployed = contents.deployed_in(system, {s.computer.group_id for s in standings})
    if not standings:
        return 0
    saved = contents.snapshot(organization_id)
    now = clock.now()
    built = [_build_owed(standing, saved, deployed, now) for standing in standings]
    with reaching(system_reach(WHY)) as system:
        stored = bundles.store(system, built)
    tell(stored)
    return sum(b.is_new for b in stored)


def tell(stored: Iterable[Built]) -> bool:
    """Wake the computers of these manifests."""
    return wake.publish({b.standing.computer.id: Hint(b.row.version, b.row.mode) for b in stored})


def close_deployment(deployment_id: UUID) -> Deployment | None:
    """Say how a deployment ended, once no target of it is unfinished; or again, when a late answer changed it."""
    with reaching(system_reach(WHY)) as system:
        deployment = Deployment.objects.within(system).select_for_update(of=("self",)).filter(pk=deployment_id).first()
        if deployment is None:
            return None
        state = _verdict(system, deployment)
        if state is not None and state != deployment.state:
            deployment.state = state
            deployment.finished_at = deployment.finished_at or clock.now()
            deployment.save(update_fields=["state", "finished_at"])
            journal.record(
                system, "deployment.ended", deployment, organization_id=deployment.organization_id, state=state
            )
    return deployment


def _verdict(system: Reach, deployment: Deployment) -> DeploymentState | None:
    """How it ended; None while a target waits. Succeeded only when every computer runs it."""
    states = set(
        DeploymentTarget.objects.within(system)
        .filter(deployment=deployment)
        .order_by()
        .values_list("state", flat=True)
        .distinct()
    )
    if states & {TargetState.PENDING, TargetState.BUILT, TargetState.OFFERED}:
        return None
    if states == {TargetState.APPLIED}:
        return DeploymentState.SUCCEEDED
    if deployment.cancelled_at is not None:
        return DeploymentState.CANCELLED
    if states & {TargetState.REFUSED, TargetState.UNREACHABLE}:
        return DeploymentState.PARTLY_FAILED if TargetState.APPLIED in states else DeploymentState.FAILED
    return DeploymentState.SUPERSEDED


@contextlib.contextmanager
def _held(lease: UUID) -> Iterator[None]:
    """Show that this lease's worker lives: a lock of its database session, gone with it the moment it is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [_LEASES, str(lease)])
    try:
        yield
    finally:
        with contextlib.suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", [_LEASES, str(lease)])


def release_dead_leases() -> int:
    """Free the waiting targets whose worker's database session is gone, without waiting for the lease to run out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_deploymenttarget SET lease = NULL, lease_until = NULL
            WHERE state = 'pending' AND lease IS NOT NULL
              AND hashtext(lease::text)::bigint & 4294967295 NOT IN (
                  SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s)
            """,
            [_LEASES],
        )
        return int(cursor.rowcount)


def _claim(deployment_id: UUID, lease: UUID) -> list[UUID]:
    """Take up to `CLAIM` waiting targets that nobody holds: the ids of their computers."""
    with reaching(system_reach(WHY)) as system:
        now = clock.now()
        free = DeploymentTarget.objects.within(system).filter(
            Q(lease_until=None) | Q(lease_until__lte=now),
            deployment_id=deployment_id,
            state=TargetState.PENDING,
            attempt__lt=MAX_ATTEMPTS,
        )
        locked = free.order_by("id").select_for_update(skip_locked=True, of=("self",))
        rows = list(locked.values_list("id", "computer_id")[:CLAIM])
        DeploymentTarget.objects.within(system).filter(pk__in=[target for target, _ in rows]).update(
            lease=lease, lease_until=now + LEASE, attempt=F("attempt") + 1
        )
    return [computer for _, computer in rows]


def _build_claimed(deployment_id: UUID, lease: UUID, computer_ids: Sequence[UUID], saved: dict[UUID, Snapshot]) -> int:
    """Build for the claimed computers; how many. `saved`: what this run has read of each organization, extended."""
    with reaching(system_reach(WHY)) as system:
        standings = bundles.standings(system, computer_ids)
        restore = _restores(system, deployment_id, computer_ids)
    built: list[Built] = []
    now = clock.now()
    for standing in standings:
        organization_id = standing.computer.organization_id
        if organization_id not in saved:
            saved[organization_id] = contents.snapshot(organization_id)
        wanted = restore.get(standing.computer.id)
        built.append(_build_for(standing, saved[organization_id], wanted, deployment_id, now))
    stored = _store_claimed(deployment_id, lease, built)
    _give_up_keyless(deployment_id, lease, set(computer_ids) - {s.computer.id for s in standings})
    tell(stored)
    return len(stored)


def _build_for(
    standing: Standing, saved: Snapshot, restore: Manifest | None, deployment_id: UUID, now: datetime
) -> Built:
    if restore is not None:
        content = contents.with_mode(contents.content_in(restore), saved, standing.computer)
        return bundles.build(standing, content, {}, deployment_id=deployment_id, now=now)
    content, blobs = contents.content_of(saved, standing.computer)
    return bundles.build(standing, content, blobs, deployment_id=deployment_id, now=now)


def _build_owed(
    standing: Standing, saved: Snapshot, deployed: Mapping[tuple[UUID, str], Manifest], now: datetime
) -> Built:
    """A change of mode keeps the policies that were deployed. A computer in a new place gets what was deployed
    there; what is saved, where nothing was deployed yet: nobody runs anything older that it could differ from."""
    current, computer = standing.current, standing.computer
    if current is not None and current.group_id == computer.group_id:
        content = contents.with_mode(contents.content_in(current), saved, computer)
        return bundles.build(standing, content, {}, deployment_id=None, now=now)
    neighbor = deployed.get((computer.group_id, computer.os))
    if neighbor is not None:
        content = contents.content_beside(neighbor, current, saved, computer)
        return bundles.build(standing, content, {}, deployment_id=None, now=now)
    content, blobs = contents.content_of(saved, standing.computer)
    return bundles.build(standing, content, blobs, deployment_id=None, now=now)


def _restores(system: Reach, deployment_id: UUID, computer_ids: Sequence[UUID]) -> dict[UUID, Manifest]:
    targets = DeploymentTarget.objects.within(system).filter(
        deployment_id=deployment_id, computer_id__in=computer_ids, restore__isnull=False
    )
    return {t.computer_id: t.restore for t in targets.select_related("restore") if t.restore is not None}


def _store_claimed(deployment_id: UUID, lease: UUID, built: Sequence[Built]) -> list[Built]:
    """Store manifests and the state of their targets in one transaction, only where this lease still stands."""
    with reaching(system_reach(WHY)) as system:
        now = clock.now()
        held = {
            t.computer_id: t
            for t in DeploymentTarget.objects.within(system)
            .filter(deployment_id=deployment_id, lease=lease, state=TargetState.PENDING)
            .order_by("id")
            .select_for_update(of=("self",))
        }
        stored = bundles.store(system, [b for b in built if b.standing.computer.id in held])
        running = _running(system, stored)
        for target in held.values():  # one whose computer got another manifest meanwhile is free for the next round
            target.lease, target.lease_until = None, None
        for b in stored:
            target = held[b.standing.computer.id]
            _mark_built(target, b, b.row.sha256 == running.get(target.computer_id), now)
        DeploymentTarget.objects.within(system).bulk_update(held.values(), _BUILT_FIELDS)
    if any(target.state == TargetState.APPLIED for target in held.values()):
        queue.publish("agents.close_deployment", deployment_id=str(deployment_id))
    return stored


def _mark_built(target: DeploymentTarget, built: Built, runs: bool, now: datetime) -> None:
    """Unchanged content that the computer has proven to run already is live without being sent again."""
    target.manifest, target.built_at = built.row, now
    target.state = TargetState.APPLIED if runs else TargetState.BUILT
    if runs:
        target.offered_at = target.finished_at = now


def _running(system: Reach, stored: Sequence[Built]) -> dict[UUID, str]:
    ids = [b.standing.computer.id for b in stored]
    return dict(
        Delivery.objects.within(system)
        .filter(computer_id__in=ids, drift=False)
        .values_list("computer_id", "running_sha256")
    )


def _give_up_keyless(deployment_id: UUID, lease: UUID, computer_ids: set[UUID]) -> None:
    """A computer whose key was banned after the press can be sent nothing."""
    if not computer_ids:
        return
    with reaching(system_reach(WHY)) as system:
        DeploymentTarget.objects.within(system).filter(
            deployment_id=deployment_id, lease=lease, computer_id__in=computer_ids
        ).update(
            state=TargetState.UNREACHABLE, reason="It has no active key any more.", finished_at=clock.now(), lease=None
        )
