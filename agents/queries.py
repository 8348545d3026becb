"""Reads of deployments: what was pressed, and how far each computer has come."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Case, Count, Exists, IntegerField, OuterRef, Prefetch, Q, QuerySet, Value, When

from agents.models import Delivery, Deployment, DeploymentTarget, Manifest
from agents.models.deployments import UNFINISHED, DeploymentState, TargetState
from portal.common.errors import NotFound
from portal.common.paging import Page, keyset
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

BY_ATTENTION = ("attention", "id")  # targets are made in the order of their computers' names
NEWEST_FIRST = ("-started_at", "-id")
_ATTENTION = (
    TargetState.REFUSED,
    TargetState.UNREACHABLE,
    TargetState.PENDING,
    TargetState.BUILT,
    TargetState.OFFERED,
    TargetState.SUPERSEDED,
    TargetState.CANCELLED,
    TargetState.APPLIED,
)
FILTERS: dict[str, tuple[str, ...]] = {
    "not-live": tuple(s for s in TargetState.values if s != TargetState.APPLIED),
    "refused": (TargetState.REFUSED,),
    "unreachable": (TargetState.UNREACHABLE,),
    "live": (TargetState.APPLIED,),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How many computers of one deployment are in each state, as far as the reader reaches."""

    counts: dict[str, int] = field(default_factory=dict)

    def of(self, *states: str) -> int:
        return sum(self.counts.get(state, 0) for state in states)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def live(self) -> int:
        return self.of(TargetState.APPLIED)

    @property
    def not_live(self) -> int:
        return self.total - self.live

    @property
    def refused(self) -> int:
        return self.of(TargetState.REFUSED)

    @property
    def unreachable(self) -> int:
        return self.of(TargetState.UNREACHABLE)

    @property
    def waiting(self) -> int:
        return self.of(*UNFINISHED)


@dataclass(frozen=True, slots=True)
class ListedDeployment:
    """A line of the list."""

    deployment: Deployment
    progress: Progress


def deployments(reach: Reach, organization_id: UUID | None = None) -> QuerySet[Deployment]:
    """Deployments in reach, newest first; of one organization: started there, or with a computer of it."""
    found = Deployment.objects.within(reach).select_related("organization", "superseded_by", "restores")
    if organization_id is not None:
        touching = DeploymentTarget.objects.within(reach).filter(
            deployment=OuterRef("pk"), organization_id=organization_id
        )
        found = found.filter(Q(organization_id=organization_id) | Exists(touching))
    ordered: QuerySet[Deployment] = found.order_by(*NEWEST_FIRST)
    return ordered


def deployment(reach: Reach, deployment_id: UUID) -> Deployment:
    """One deployment in reach. Raises NotFound."""
    found = deployments(reach).filter(pk=deployment_id).first()
    if found is None:
        raise NotFound
    return found


def listed_deployments(reach: Reach, organization: Organization | None, *, after: str = "") -> Page[ListedDeployment]:
    """One page of the list, with the progress of each. Two statements."""
    page = keyset(deployments(reach, organization.id if organization else None), order=NEWEST_FIRST, after=after)
    counted = progress_of_each(reach, [d.id for d in page.rows])
    return Page([ListedDeployment(d, counted.get(d.id, Progress())) for d in page.rows], page.next, page.previous)


def progress_of_each(reach: Reach, deployment_ids: Collection[UUID]) -> dict[UUID, Progress]:
    """Progress by deployment. One statement."""
    rows = (
        DeploymentTarget.objects.within(reach)
        .filter(deployment_id__in=deployment_ids)
        .order_by()
        .values_list("deployment_id", "state")
        .annotate(count=Count("id"))
    )
    found: dict[UUID, dict[str, int]] = {}
    for deployment_id, state, count in rows:
        found.setdefault(deployment_id, {})[state] = count
    return {deployment_id: Progress(counts) for deployment_id, counts in found.items()}


def progress(reach: Reach, deployment_id: UUID) -> Progress:
    return progress_of_each(reach, [deployment_id]).get(deployment_id, Progress())


def targets(
    reach: Reach, deployment_id: UUID, *, states: Iterable[str] | None = None, organization_id: UUID | None = None
) -> QuerySet[DeploymentTarget]:
    """The computers of one deployment with what became of them; those that need attention first, then by name.

    Annotated with `attention`: 0 is worst. What stands beside each is read for the page only, not for all to sort.
    """
    rank = Case(
        *(When(state=state, then=Value(place)) for place, state in enumerate(_ATTENTION)), output_field=IntegerField()
    )
    found = DeploymentTarget.objects.within(reach).filter(deployment_id=deployment_id)
    if states is not None:
        found = found.filter(state__in=list(states))
    if organization_id is not None:
        found = found.filter(organization_id=organization_id)
    ranked: QuerySet[DeploymentTarget] = (
        found.annotate(attention=rank)
        .prefetch_related("organization", "computer", *_light(reach))
        .order_by(*BY_ATTENTION)
    )
    return ranked


def _light(reach: Reach) -> tuple[Prefetch[str], Prefetch[str]]:
    """Manifests and deliveries without what is large in them."""
    manifests = Manifest.objects.within(reach).defer("envelope", "layers")
    deliveries = Delivery.objects.within(reach).defer("heartbeat")
    return Prefetch("manifest", manifests), Prefetch("computer__delivery", deliveries)


def rolling(reach: Reach, organization_id: UUID | None = None) -> int:
    """How many deployments are on their way."""
    return deployments(reach, organization_id).filter(state=DeploymentState.ROLLING).count()
