"""How far each computer has come. What runs is believed only from requests signed with the computer's own key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q

from agents.models import Delivery, Deployment, DeploymentTarget, Manifest
from agents.models.deployments import UNFINISHED, TargetState
from portal.common import queue
from portal.tenants import journal
from portal.tenants.reach import Reach

_MAY_STILL_APPLY = (
    *UNFINISHED,
    TargetState.REFUSED,
    TargetState.UNREACHABLE,
    TargetState.CANCELLED,
)


def delivery_of(reach: Reach, *, computer_id: UUID, organization_id: UUID, at: datetime) -> Delivery:
    """The computer's row, locked until the transaction ends; made, and owed a bundle, when it has none.

    Its current manifest comes without its envelope.
    """
    rows = Delivery.objects.within(reach).filter(computer_id=computer_id).order_by().select_related("current")
    rows = rows.defer("current__envelope", "current__layers").select_for_update(of=("self",))
    found = rows.first()
    if found is not None:
        return found
    Delivery.objects.within(reach).bulk_create(
        [Delivery(organization_id=organization_id, computer_id=computer_id, rebuild_due_at=at)], ignore_conflicts=True
    )
    return rows.get()


def note_running(reach: Reach, delivery: Delivery, *, epoch: int, version: int, sha256: str, at: datetime) -> None:
    """Take over what a computer proved that it runs, and settle what it settles (S-14).

    The named manifest is ours: targets that wait for it, or ended without an answer, are live. It is not
    ours: drift, told once in the System Audit. Does not save `delivery`.
    """
    stored = (delivery.running_epoch, delivery.running_version, delivery.running_sha256)
    if version == 0 or stored == (epoch, version, sha256):
        delivery.drift = delivery.drift and version == 0
        return
    manifest = (
        Manifest.objects.within(reach)
        .filter(computer_id=delivery.computer_id, epoch=epoch, version=version, sha256=sha256)
        .first()
    )
    if manifest is None:
        _note_drift(reach, delivery, version=version, sha256=sha256)
        return
    delivery.drift = False
    if (delivery.running_epoch, delivery.running_version) != (epoch, version):
        delivery.running_since = at
    delivery.running_epoch, delivery.running_version = epoch, version
    delivery.running_sha256 = sha256
    delivery.is_behind = delivery.current is not None and (epoch, version) < (
        delivery.current.epoch,
        delivery.current.version,
    )
    if delivery.refused_version <= version:
        delivery.refused_version, delivery.refused_reason = 0, ""
    _settle(reach, manifest, at)


def note_refused(reach: Reach, delivery: Delivery, *, epoch: int, version: int, reason: str, at: datetime) -> None:
    """A computer refused a bundle and goes on with the one it has. Does not save `delivery`.

    Told in the System Audit once per version and reason, however often the computer tries again.
    """
    text = reason[:512]
    if (delivery.refused_version, delivery.refused_reason) == (version, text):
        return
    delivery.refused_version, delivery.refused_reason = version, text
    waiting = DeploymentTarget.objects.within(reach).filter(
        computer_id=delivery.computer_id, state__in=UNFINISHED, manifest__epoch=epoch, manifest__version=version
    )
    deployments = list(waiting.values_list("deployment_id", flat=True))
    waiting.update(state=TargetState.REFUSED, reason=text, finished_at=at)
    manifests = Manifest.objects.within(reach).filter(computer_id=delivery.computer_id)
    journal.record(
        reach,
        "bundle.refused",
        manifests.filter(epoch=epoch, version=version).first(),
        organization_id=delivery.organization_id,
        computer=delivery.computer_id,
        version=version,
        reason=text,
    )
    _hurry(reach, deployments)


def note_offered(reach: Reach, delivery: Delivery, at: datetime) -> None:
    """A signed checkpoint naming the current manifest is being handed out: who waited for that has been sent it."""
    if delivery.current_id and delivery.current and delivery.running_version < delivery.current.version:
        DeploymentTarget.objects.within(reach).filter(
            computer_id=delivery.computer_id, state=TargetState.BUILT, manifest_id=delivery.current_id
        ).update(state=TargetState.OFFERED, offered_at=at)


def _note_drift(reach: Reach, delivery: Delivery, *, version: int, sha256: str) -> None:
    if delivery.drift:
        return
    delivery.drift = True
    journal.record(
        reach,
        "bundle.drifted",
        delivery.computer,
        organization_id=delivery.organization_id,
        version=version,
        sha256=sha256,
        needs_attention=True,
    )


def _settle(reach: Reach, manifest: Manifest, at: datetime) -> None:
    """Targets of this manifest are live; unfinished ones of older manifests never will be."""
    targets = DeploymentTarget.objects.within(reach).filter(computer_id=manifest.computer_id)
    mine = targets.filter(manifest=manifest, state__in=_MAY_STILL_APPLY)
    below = Q(manifest__epoch=manifest.epoch, manifest__version__lt=manifest.version)
    older = targets.filter(Q(manifest__epoch__lt=manifest.epoch) | below, state__in=UNFINISHED)
    deployments = [d for found in (mine, older) for d in found.values_list("deployment_id", flat=True)]
    if not deployments:
        return
    mine.filter(offered_at=None).update(offered_at=at)
    mine.update(state=TargetState.APPLIED, reason="", finished_at=at)
    older.update(state=TargetState.SUPERSEDED, finished_at=at)
    _hurry(reach, deployments)


def _hurry(reach: Reach, deployment_ids: list[UUID]) -> None:
    """Wake the task that closes a deployment when nothing of it is left to wait for, as far as is seen from here.

    The sweep closes it anyway, a few seconds later.
    """
    for deployment_id in set(deployment_ids):
        waits = DeploymentTarget.objects.within(reach).filter(deployment_id=deployment_id, state__in=UNFINISHED)
        if not waits.exists():
            queue.after_commit("agents.close_deployment", deployment_id=deployment_id)


def deployments_of(reach: Reach, computer_id: UUID) -> list[Deployment]:
    """The computer's newest deployments that are visible from here, at most ten."""
    ids = (
        DeploymentTarget.objects.within(reach)
        .filter(computer_id=computer_id)
        .order_by("-id")
        .values_list("deployment_id", flat=True)[:10]
    )
    return list(Deployment.objects.within(reach).filter(pk__in=list(ids)))
