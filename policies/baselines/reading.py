"""Reads of baselines, their versions, who follows them, and exceptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from uuid import UUID

from django.db.models import Count, F, Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce

from policies.baselines.terms import Item, item_from, terms_of
from policies.models import Baseline, BaselineException, BaselineVersion, Policy, PolicyApplication, Subscription
from portal.common import clock
from portal.common.errors import NotFound
from portal.tenants.queries import as_uuid
from portal.tenants.reach import Reach


def baselines(reach: Reach) -> QuerySet[Baseline]:
    """Those of the organizations in reach, and those that these follow, by name. With `following` and `exceptions`,
    counted as far as the reach goes."""
    found = Baseline.objects.within(reach).select_related("organization")
    if not reach.everything:
        followed = Subscription.objects.within(reach).values("baseline_id")
        found = found.filter(Q(organization_id__in=reach.organizations) | Q(id__in=followed))
    mine = Q() if reach.everything else Q(subscriptions__organization_id__in=reach.organizations)
    counted: QuerySet[Baseline] = found.annotate(
        following=Count("subscriptions", filter=mine, distinct=True),
        exceptions=Coalesce(
            Count(
                "subscriptions__exceptions",
                filter=mine & Q(subscriptions__exceptions__ended_at__isnull=True),
                distinct=True,
            ),
            0,
        ),
    )
    return counted.order_by("name", "id")


def baselines_listed(reach: Reach, *, organization: str = "") -> QuerySet[Baseline]:
    """Baselines in reach; those that one organization has or follows, when it is given. Raises NotFound."""
    from portal.tenants import queries as tenants

    if not organization:
        return baselines(reach)
    own = tenants.organization(reach, organization).id
    followed = Subscription.objects.within(reach).filter(organization_id=own).values("baseline_id")
    return baselines(reach).filter(Q(organization_id=own) | Q(id__in=followed))


def baseline(reach: Reach, baseline_id: UUID | str) -> Baseline:
    """One baseline in reach. Raises NotFound."""
    found = baselines(reach).filter(id=as_uuid(baseline_id)).first()
    if found is None:
        raise NotFound
    return found


def baseline_of(reach: Reach, baseline_id: UUID | str, organization_id: UUID) -> Baseline:
    """One baseline that this organization has or follows. Raises NotFound."""
    found = baseline(reach, baseline_id)
    if found.organization_id != organization_id:
        follows = subscriptions(reach, baseline_id=found.id).filter(organization_id=organization_id)
        if not follows.exists():
            raise NotFound
    return found


def subscriptions(reach: Reach, *, baseline_id: UUID | None = None) -> QuerySet[Subscription]:
    """Who follows, in reach, by the organization's name."""
    found = Subscription.objects.within(reach).select_related("organization", "target_group", "baseline__organization")
    if baseline_id is not None:
        found = found.filter(baseline_id=baseline_id)
    return found.order_by("organization__name", "target_group__name", "id")


def subscription(reach: Reach, subscription_id: UUID | str) -> Subscription:
    """One subscription in reach. Raises NotFound."""
    found = subscriptions(reach).filter(id=as_uuid(subscription_id)).first()
    if found is None:
        raise NotFound
    return found


def waiting(reach: Reach, baseline_id: UUID | None = None) -> QuerySet[Subscription]:
    """Subscriptions that a worker has yet to bring to the version they want, the longest waiting first."""
    found = Subscription.objects.within(reach).filter(wanted__gt=F("version"), fault="")
    return (found if baseline_id is None else found.filter(baseline_id=baseline_id)).order_by("created_at", "id")


def exceptions(reach: Reach, *, ended: bool = False) -> QuerySet[BaselineException]:
    """Exceptions in reach that are in force, the next one to review first; with `ended` those that were, too."""
    found = BaselineException.objects.within(reach).select_related(
        "organization", "subscription__baseline__organization", "subscription__target_group"
    )
    return (found if ended else found.filter(ended_at__isnull=True)).order_by("review_on", "id")


def exceptions_listed(
    reach: Reach, *, organization: str = "", baseline: str = "", due: bool | None = None, ended: bool = False
) -> QuerySet[BaselineException]:
    """Exceptions in reach, narrowed; `organization`: its own, and those to its baselines. Raises NotFound."""
    from portal.tenants import queries as tenants

    found = exceptions(reach, ended=ended)
    if organization:
        own = tenants.organization(reach, organization).id
        found = found.filter(Q(organization_id=own) | Q(subscription__baseline__organization_id=own))
    if baseline:
        found = found.filter(subscription__baseline_id=as_uuid(baseline))
    if due is not None:
        is_due = Q(review_on__lte=today(), ended_at__isnull=True)
        found = found.filter(is_due if due else ~is_due)
    return found


def exception(reach: Reach, exception_id: UUID | str) -> BaselineException:
    """One exception in reach, ended ones too. Raises NotFound."""
    found = exceptions(reach, ended=True).filter(id=as_uuid(exception_id)).first()
    if found is None:
        raise NotFound
    return found


def due_exceptions(reach: Reach, organization_id: UUID | None = None) -> int:
    """How many exceptions in reach have reached their review date; of one organization: as in `exceptions_listed`."""
    organization = "" if organization_id is None else str(organization_id)
    return exceptions_listed(reach, organization=organization, due=True).count()


def today() -> date:
    """The day by which exceptions are due, in UTC."""
    return clock.now().date()


def versions(reach: Reach, baseline_id: UUID) -> QuerySet[BaselineVersion]:
    """The published versions of a baseline, newest first."""
    return BaselineVersion.objects.within(reach).filter(baseline_id=baseline_id).order_by("-number")


def items_of(reach: Reach, baseline_id: UUID, numbers: Iterable[int]) -> dict[int, list[Item]]:
    """What some versions of a baseline say; version 0 says nothing. One statement."""
    wanted = set(numbers)
    found: dict[int, list[Item]] = {0: []}
    rows = versions(reach, baseline_id).filter(number__in=wanted - {0})
    for number, policies in rows.values_list("number", "policies"):
        found[number] = [item_from(kept) for kept in policies]
    return found


def source_items(reach: Reach, baseline: Baseline) -> list[Item] | None:
    """What its template says now; None when the reach does not go to the baseline's organization. Two statements."""
    if not reach.sees(baseline.organization_id):
        return None
    links = PolicyApplication.objects.within(reach).select_related("application").order_by("position", "id")
    rows = Policy.objects.within(reach).filter(target_group_id=baseline.source_group_id, is_default=False)
    found = []
    for policy in rows.prefetch_related(Prefetch("policy_applications", links)).order_by("order", "id"):
        applications = policy.named_applications
        terms = terms_of(policy, [a.id for a in applications])
        found.append(Item(policy.id, policy.order, policy.kind, terms, tuple(a.name for a in applications)))
    return found


def applications_of(reach: Reach, policy_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """The applications of many policies, in their order. One statement."""
    found: dict[UUID, list[UUID]] = defaultdict(list)
    rows = PolicyApplication.objects.within(reach).filter(policy_id__in=list(policy_ids)).order_by("position", "id")
    for policy_id, application_id in rows.values_list("policy_id", "application_id"):
        found[policy_id].append(application_id)
    return found
