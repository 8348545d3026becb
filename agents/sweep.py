"""The sweep: every few seconds it finds again whatever a lost message, a killed worker or a flushed broker left.

It may run twice at once or not at all for a while; an advisory lock and the rows themselves keep it honest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Q

from agents import rollout, wake
from agents.models import AgentNonce, Delivery, Deployment, DeploymentTarget, PeriodicJob
from agents.models.deployments import UNFINISHED, DeploymentState, TargetState
from agents.wake import Hint
from portal.common import clock, queue
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

NAME = "agents.sweep"
PERIOD = timedelta(seconds=5)
SILENT_AFTER = timedelta(seconds=60)
SEEN_LATELY = timedelta(minutes=5)
REWAKE_AFTER = timedelta(seconds=5)
QUIET_DEADLINE = timedelta(seconds=90)
_LOCK = 0x73776570
_WAKE_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found to do. `ran` is false when another one is at it, or has just been."""

    ran: bool = False
    deployments: int = 0
    owed: int = 0
    woken: int = 0
    closed: int = 0


def sweep() -> Swept:
    """Wake what is due, give up what is overdue, close what is finished. At most once per `PERIOD`, however called."""
    with reaching(system_reach("sweep")) as system:
        if not _begin(clock.now()):
            return Swept()
        now = clock.now()
        _give_up(system, now)
        rollout.release_dead_leases()
        waiting = _waiting(system, now)
        owed = _owed(system, now)
        sent = _unheard(system, now)
        rolling = list(
            Deployment.objects.within(system).filter(state=DeploymentState.ROLLING).values_list("id", flat=True)
        )
        _forget_nonces(system, now)
    for deployment_id in waiting:
        queue.publish("agents.run_deployment", deployment_id=str(deployment_id))
    for organization_id in owed:
        queue.publish("agents.build_owed_bundles", organization_id=str(organization_id))
    wake.publish(sent)
    closed = sum(1 for d in map(rollout.close_deployment, rolling) if d and d.state != DeploymentState.ROLLING)
    return Swept(True, len(waiting), len(owed), len(sent), closed)


def silent_seconds(at: datetime | None = None) -> int:
    """For how long the scheduler has not swept, in seconds; 0 while it is fine."""
    now = at or clock.now()
    last = PeriodicJob.objects.filter(pk=NAME).values_list("ran_at", flat=True).first()
    if last is None:
        return 0
    silence = now - last
    return int(silence.total_seconds()) if silence >= SILENT_AFTER else 0


def nudge() -> None:
    """Called when somebody looks at deployments: sweep here when the scheduler does not."""
    last = PeriodicJob.objects.filter(pk=NAME).values_list("ran_at", flat=True).first()
    if last is None or clock.now() - last >= PERIOD * 3:
        queue.publish(NAME)


def _begin(now: datetime) -> bool:
    """Take the sweep's lock until the transaction ends, and its slot. False: not our turn."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return False
    job, made = PeriodicJob.objects.get_or_create(pk=NAME, defaults={"ran_at": now})
    if not made and now - job.ran_at < PERIOD / 2:
        return False
    job.ran_at = now
    job.save(update_fields=["ran_at"])
    return True


def _give_up(system: Reach, now: datetime) -> None:
    """Targets past their deadline are unreachable; so are, sooner, those of computers that had long been silent.

    They stay owed the newest bundle, and become live when they return and say so.
    """
    unfinished = DeploymentTarget.objects.within(system).filter(state__in=UNFINISHED)
    silent = Q(computer__last_seen_at=None) | Q(computer__last_seen_at__lt=now - SEEN_LATELY)
    overdue = Q(deployment__deadline_at__lte=now)
    hopeless = silent & Q(deployment__started_at__lte=now - QUIET_DEADLINE) & ~Q(state=TargetState.PENDING)
    ids = list(unfinished.filter(overdue | hopeless).order_by("id").values_list("id", flat=True)[:5_000])
    if ids:
        unfinished.filter(pk__in=ids).update(
            state=TargetState.UNREACHABLE,
            reason="It did not answer in time. It receives the newest bundle when it returns.",
            finished_at=now,
            lease=None,
        )
    unfinished.filter(state=TargetState.PENDING, attempt__gte=rollout.MAX_ATTEMPTS, lease_until__lte=now).update(
        state=TargetState.REFUSED,
        reason="Its bundle could not be built. The worker's log says why.",
        finished_at=now,
        lease=None,
    )


def _waiting(system: Reach, now: datetime) -> list[UUID]:
    """Deployments with a target that nobody is building."""
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return list(
        DeploymentTarget.objects.within(system)
        .filter(free, state=TargetState.PENDING)
        .order_by()
        .values_list("deployment_id", flat=True)
        .distinct()
    )


def _unheard(system: Reach, now: datetime) -> dict[UUID, Hint]:
    """Computers that spoke lately but have not fetched what was built for them: their wake-up may be lost."""
    rows = (
        DeploymentTarget.objects.within(system)
        .filter(
            state__in=(TargetState.BUILT, TargetState.OFFERED),
            built_at__lte=now - REWAKE_AFTER,
            computer__last_seen_at__gte=now - SEEN_LATELY,
            manifest__isnull=False,
        )
        .values_list("computer_id", "manifest__version", "manifest__mode")[:_WAKE_AT_ONCE]
    )
    return {computer: Hint(version, mode) for computer, version, mode in rows}


def _owed(system: Reach, now: datetime) -> list[UUID]:
    """Organizations with computers that are owed a bundle, after noting who became owed one by a move or a mode."""
    _note_moved(now)
    return list(
        Delivery.objects.within(system)
        .filter(rebuild_due_at__lte=now)
        .order_by()
        .values_list("organization_id", flat=True)
        .distinct()
    )


def _note_moved(now: datetime) -> None:
    """Owe a bundle to each computer whose group or mode in force is not what its current manifest says.

    The mode in force is the computer's own while it lasts, else its group's; a signed mode that has ended means
    what was signed to follow it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE agents_delivery d SET rebuild_due_at = %(now)s
            FROM (
                SELECT c.id,
                       CASE WHEN own.holds THEN c.mode WHEN grp.holds THEN g.mode ELSE 'secured' END AS mode,
                       CASE WHEN own.holds THEN c.mode_ends_at WHEN grp.holds THEN g.mode_ends_at END AS ends_at,
                       c.group_id
                FROM tenants_computer c JOIN tenants_computergroup g ON g.id = c.group_id
                CROSS JOIN LATERAL (
                    SELECT c.mode <> 'secured' AND (c.mode_ends_at IS NULL OR c.mode_ends_at > %(now)s) AS holds) own
                CROSS JOIN LATERAL (
                    SELECT g.mode <> 'secured' AND (g.mode_ends_at IS NULL OR g.mode_ends_at > %(now)s) AS holds) grp
            ) want
            JOIN agents_delivery mine ON mine.computer_id = want.id
            JOIN agents_manifest m ON m.id = mine.current_id
            WHERE d.id = mine.id AND d.rebuild_due_at IS NULL AND (
                m.group_id <> want.group_id
                OR CASE WHEN m.mode_ends_at <= %(now)s THEN m.mode_after ELSE m.mode END <> want.mode
                OR CASE WHEN m.mode_ends_at <= %(now)s THEN NULL ELSE date_trunc('second', m.mode_ends_at) END
                   IS DISTINCT FROM date_trunc('second', want.ends_at))
            """,
            {"now": now},
        )


def _forget_nonces(system: Reach, now: datetime) -> None:
    """A nonce is worthless after minutes; its row need not outlive it by long."""
    AgentNonce.objects.within(system).filter(used_at__lt=now - timedelta(hours=1)).delete()
