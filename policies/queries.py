"""Reads of applications, file rules, policies and agent settings."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from policies.models import AgentSetting, Application, FileRule, Kind, Policy, PolicyApplication
from portal.common.errors import NotFound
from portal.tenants.models import Organization
from portal.tenants.queries import as_uuid
from portal.tenants.reach import Reach


def applications(reach: Reach) -> QuerySet[Application]:
    """Every application in reach, built-in and inherited ones too, with `rule_count` and `policy_count`, by name."""
    rules = FileRule.objects.within(reach).filter(application=OuterRef("pk")).order_by()
    used = PolicyApplication.objects.within(reach).filter(application=OuterRef("pk")).order_by()
    found: QuerySet[Application] = (
        Application.objects.within(reach)
        .select_related("organization")
        .annotate(
            rule_count=Coalesce(Subquery(rules.values("application").annotate(n=Count("id")).values("n")), 0),
            policy_count=Coalesce(Subquery(used.values("application").annotate(n=Count("id")).values("n")), 0),
        )
    )
    return found.order_by("name", "id")


def applications_for(reach: Reach, organization_id: UUID) -> QuerySet[Application]:
    """The applications that policies of one organization may name: built-in, its own, those of all above it."""
    line = [organization_id, *ancestors(reach, organization_id)]
    return applications(reach).filter(Q(organization_id__isnull=True) | Q(organization_id__in=line))


def ancestors(reach: Reach, organization_id: UUID) -> list[UUID]:
    """The organizations above one, nearest first, as far as the reach sees them. One statement."""
    parents = dict(Organization.objects.within(reach).values_list("id", "parent_id"))
    found, above = [], parents.get(organization_id)
    while above is not None and above in parents:
        found.append(above)
        above = parents[above]
    return found


def application(reach: Reach, application_id: UUID | str) -> Application:
    """One application in reach, with its counts. Raises NotFound."""
    found: Application | None = applications(reach).filter(id=as_uuid(application_id)).first()
    if found is None:
        raise NotFound
    return found


def rules_of(reach: Reach, application_id: UUID) -> QuerySet[FileRule]:
    """The file rules of an application, by position."""
    found: QuerySet[FileRule] = FileRule.objects.within(reach).filter(application_id=application_id)
    return found.order_by("position", "id")


def file_rule(reach: Reach, application_id: UUID | str, rule_id: UUID | str) -> FileRule:
    """One rule of one application. Raises NotFound."""
    rules = FileRule.objects.within(reach).filter(application_id=as_uuid(application_id))
    found: FileRule | None = rules.filter(id=as_uuid(rule_id)).select_related("application").first()
    if found is None:
        raise NotFound
    return found


def policies(reach: Reach) -> QuerySet[Policy]:
    """Every policy in reach, and the global ones above, with their scopes. Lower order first."""
    found: QuerySet[Policy] = Policy.objects.within(reach).select_related(
        "organization", "target_organization", "target_group", "target_computer"
    )
    return found.order_by("order", "id")


def policy(reach: Reach, policy_id: UUID | str) -> Policy:
    """One policy in reach. Raises NotFound."""
    found: Policy | None = policies(reach).filter(id=as_uuid(policy_id)).first()
    if found is None:
        raise NotFound
    return found


def application_ids(reach: Reach, policy_id: UUID) -> tuple[UUID, ...]:
    """The applications of one policy, in its order."""
    links = PolicyApplication.objects.within(reach).filter(policy_id=policy_id)
    return tuple(links.order_by("position", "id").values_list("application_id", flat=True))


def applications_of(reach: Reach, policy_ids: Collection[UUID]) -> dict[UUID, list[Application]]:
    """The applications of several policies, each in its policy's order. One statement."""
    found: dict[UUID, list[Application]] = {policy_id: [] for policy_id in policy_ids}
    links = PolicyApplication.objects.within(reach).filter(policy_id__in=list(policy_ids))
    for link in links.select_related("application").order_by("position", "id"):
        found[link.policy_id].append(link.application)
    return found


def policies_using(reach: Reach, application_id: UUID) -> QuerySet[Policy]:
    """The policies that name an application, as far as the reach goes. Lower order first."""
    links = PolicyApplication.objects.within(reach).filter(application_id=application_id)
    return policies(reach).filter(id__in=links.values("policy_id"))


def agent_settings(reach: Reach) -> QuerySet[AgentSetting]:
    """Every agent setting in reach, and the global ones above, with their scopes. Lower order first."""
    found: QuerySet[AgentSetting] = AgentSetting.objects.within(reach).select_related(
        "organization", "target_organization", "target_group", "target_computer"
    )
    return found.order_by("order", "id")


def agent_setting(reach: Reach, setting_id: UUID | str) -> AgentSetting:
    """One agent setting in reach. Raises NotFound."""
    found: AgentSetting | None = agent_settings(reach).filter(id=as_uuid(setting_id)).first()
    if found is None:
        raise NotFound
    return found


def catalogue(reach: Reach) -> QuerySet[Application]:
    """The built-in applications, by name."""
    return applications(reach).filter(kind=Kind.BUILTIN)
