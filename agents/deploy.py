"""Deploy Policies: started, cancelled, rolled back. One transaction writes rows; the queue is only told afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery

from agents import lockout
from agents.models import Deployment, DeploymentTarget, Manifest
from agents.models.deployments import UNFINISHED, DeploymentState, TargetState
from agents.scopes import DeploymentScope, computers_in, enrolled, resolve
from policies import changes
from policies.lockout import Lockout
from policies.models import Level
from portal.common import clock, queue
from portal.common.errors import Conflict, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

DEADLINE = timedelta(minutes=10)
MAX_NOTE = 500


@transaction.atomic
def start_deployment(
    reach: Reach, *, level: str, target_id: UUID | str, note: str = "", override: str = ""
) -> Deployment:
    """Send what is saved to every enrolled computer of a scope. Raises NotFound, Forbidden,
    Invalid, Refused (no computer; or it would lock computers out, code `lock_out`).

    The pending changes that lie wholly in the scope are taken along; unfinished targets of the same computers in
    older deployments are superseded. Global scope needs the capability for it. `override`: the reason why computers
    may be locked out of what `policies.lockout` calls essential; told in the System Audit.
    """
    scope = resolve(reach, level=level, target_id=target_id)
    locked_out = lockout.lockouts(scope)
    overridden = lockout.checked_override(locked_out, override)
    deployment = _new(reach, scope, note=note)
    deployment.save(force_insert=True)
    count = _aim(scope, deployment)
    if not count:
        raise Refused(
            f"No computer of {scope.name} is enrolled yet, so there is nobody to send to. The changes stay pending;"
            " enroll a computer with an install key of its group first.",
            pointer="/scope",
            code="no_computers",
        )
    taken = changes.mark_deployed(
        reach,
        deployment_id=deployment.id,
        organization_id=scope.organization.id,
        level=scope.level,
        target_id=scope.target_id,
    )
    if overridden:
        _tell_override(reach, deployment, overridden, locked_out)
    _started(reach, deployment, computers=count, changes=taken)
    return deployment


def would_lock_out(reach: Reach, *, level: str, target_id: UUID | str) -> list[Lockout]:
    """What starting a deployment to this scope now would newly stop. Raises NotFound, Forbidden, Invalid, Refused."""
    return lockout.lockouts(resolve(reach, level=level, target_id=target_id))


def _tell_override(reach: Reach, deployment: Deployment, reason: str, found: Sequence[Lockout]) -> None:
    """In the System Audit of whose deployment it is, and of every other organization that it locks out."""
    told: dict[UUID, list[str]] = {deployment.organization_id: []}
    for one in found:
        told.setdefault(UUID(one.organization), []).append(one.sentence)
    with reaching(system_reach("tell every organization that is locked out")) as system:
        for organization_id in sorted(told, key=str):
            own = organization_id == deployment.organization_id
            journal.record(
                replace(system, actor=reach.actor),
                "lockout.overridden",
                deployment,
                organization_id=organization_id,
                reason=reason,
                stops=told[organization_id] if not own else [one.sentence for one in found],
            )


@transaction.atomic
def cancel_deployment(reach: Reach, deployment_id: UUID) -> Deployment:
    """Stop sending. What was built or sent already cannot be called back and still ends as it ends.

    Raises NotFound, Forbidden, Conflict when it is over.
    """
    deployment = _locked(reach, deployment_id)
    if deployment.state != DeploymentState.ROLLING or deployment.cancelled_at:
        raise Conflict(f"{deployment} is over: {deployment.get_state_display().lower()}. Nothing is left to cancel.")
    now = clock.now()
    deployment.cancelled_at = now
    deployment.save(update_fields=["cancelled_at"])
    with reaching(system_reach("cancel a deployment in every organization it reaches")) as system:
        stopped = (
            DeploymentTarget.objects.within(system)
            .filter(deployment=deployment, state=TargetState.PENDING)
            .update(state=TargetState.CANCELLED, finished_at=now, lease=None)
        )
    journal.record(
        reach, "deployment.cancelled", deployment, organization_id=deployment.organization_id, not_sent=stopped
    )
    queue.after_commit("agents.close_deployment", deployment_id=deployment.id)
    return deployment


@transaction.atomic
def roll_back_deployment(reach: Reach, deployment_id: UUID, *, note: str = "") -> Deployment:
    """Give every computer of a deployment back what it ran before, as a new version with the old content.

    What is saved stays saved: the changes that the deployment took along are pending again. Raises NotFound,
    Forbidden, Refused when no computer had a bundle before.
    """
    old = _locked(reach, deployment_id)
    if old.level == Level.GLOBAL:
        reach.require(Capability.GLOBAL_DEPLOY, old.organization_id)
    scope = DeploymentScope(Level(old.level), old.target_id, old.target_name, old.organization)
    deployment = _new(reach, scope, note=note or f"Roll back {old}")
    deployment.restores = old
    deployment.save(force_insert=True)
    count = _aim_back(deployment, old)
    if not count:
        raise Refused(
            f"No computer of {old} ran another bundle before, so there is nothing to go back to.", code="nothing_before"
        )
    waiting = changes.mark_pending(reach, deployment_id=old.id)
    _started(reach, deployment, computers=count, pending_again=waiting, restores=str(old))
    return deployment


def _new(reach: Reach, scope: DeploymentScope, *, note: str) -> Deployment:
    now = clock.now()
    if len(note) > MAX_NOTE:
        raise Refused(f"A note has at most {MAX_NOTE} characters.", pointer="/note")
    return Deployment(
        organization=scope.organization,
        level=scope.level,
        target_id=scope.target_id,
        target_name=scope.name[:200],
        note=note.strip(),
        actor_id=reach.actor.id,
        actor_name=reach.actor.name,
        started_at=now,
        deadline_at=now + DEADLINE,
    )


def _aim(scope: DeploymentScope, deployment: Deployment) -> int:
    """A target for each enrolled computer of the scope; unfinished older ones are superseded. How many."""
    with reaching(system_reach("a deployment reaches every organization of its scope")) as system:
        found = list(enrolled(computers_in(scope)).order_by("name", "id").values_list("id", "organization_id"))
        _supersede(system, deployment, [computer for computer, _ in found])
        DeploymentTarget.objects.within(system).bulk_create(
            [
                DeploymentTarget(organization_id=organization, deployment=deployment, computer_id=computer)
                for computer, organization in found
            ],
            batch_size=2_000,
        )
    return len(found)


def _aim_back(deployment: Deployment, old: Deployment) -> int:
    """A target for each computer that `old` gave a manifest, with the newest one before it to restore."""
    with reaching(system_reach("a rollback reaches every organization of its deployment")) as system:
        before = Manifest.objects.within(system).filter(
            computer=OuterRef("computer"), epoch=OuterRef("manifest__epoch"), version__lt=OuterRef("manifest__version")
        )
        given = DeploymentTarget.objects.within(system).filter(deployment=old, manifest__deployment_id=old.id)
        rows = given.annotate(before=Subquery(before.order_by("-version").values("id")[:1])).filter(
            before__isnull=False
        )
        found = list(
            rows.order_by("computer__name", "computer_id").values_list("computer_id", "organization_id", "before")
        )
        _supersede(system, deployment, [computer for computer, _, _ in found])
        DeploymentTarget.objects.within(system).bulk_create(
            [
                DeploymentTarget(
                    organization_id=organization, deployment=deployment, computer_id=computer, restore_id=restore
                )
                for computer, organization, restore in found
            ],
            batch_size=2_000,
        )
    return len(found)


def _supersede(system: Reach, deployment: Deployment, computer_ids: list[UUID]) -> None:
    """Locks the targets it ends in the order of their ids, as the builders do."""
    older = DeploymentTarget.objects.within(system).filter(computer_id__in=computer_ids, state__in=UNFINISHED)
    locked = list(older.order_by("id").select_for_update(of=("self",)).values_list("id", "deployment_id"))
    DeploymentTarget.objects.within(system).filter(pk__in=[target for target, _ in locked]).update(
        state=TargetState.SUPERSEDED, finished_at=deployment.started_at, lease=None
    )
    touched = {deployment_id for _, deployment_id in locked}
    Deployment.objects.within(system).filter(pk__in=touched).update(superseded_by=deployment)
    for deployment_id in touched:
        queue.after_commit("agents.close_deployment", deployment_id=deployment_id)


def _started(reach: Reach, deployment: Deployment, **details: Any) -> None:
    deployment.refresh_from_db(fields=["number"])
    journal.record(
        reach,
        "deployment.started",
        deployment,
        organization_id=deployment.organization_id,
        level=deployment.level,
        scope=deployment.target_name,
        note=deployment.note,
        **details,
    )
    queue.after_commit("agents.run_deployment", deployment_id=deployment.id)


def _locked(reach: Reach, deployment_id: UUID) -> Deployment:
    found = (
        Deployment.objects.within(reach)
        .select_for_update(of=("self",))
        .select_related("organization")
        .filter(pk=deployment_id)
        .first()
    )
    if found is None:
        raise NotFound
    reach.require(Capability.DEPLOYMENT_WRITE, found.organization_id)
    return found
