"""Reads of applications, file rules, policies and agent settings."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from policies.models import AgentSetting, Application, FileRule, Level, Policy, PolicyApplication
from portal.common.errors import NotFound
from portal.tenants import queries as tenants
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


def applications_named(reach: Reach, organization: Organization | None) -> QuerySet[Application]:
    """The same applications without their counts: what policies of an organization may name, or all in reach."""
    found: QuerySet[Application] = Application.objects.within(reach)
    if organization is None:
        return found
    line = [organization.id, *ancestors(reach, organization.id)]
    return found.filter(Q(organization_id__isnull=True) | Q(organization_id__in=line))


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


def rule_count(application: Application) -> int:
    """How many rules an application read by this module has."""
    return int(getattr(application, "rule_count", 0))


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
    """Every policy in reach, and the global ones above, with scopes and applications. Lower order first."""
    links = (
        PolicyApplication.objects.within(reach).select_related("application__organization").order_by("position", "id")
    )
    found: QuerySet[Policy] = (
        Policy.objects.within(reach)
        .select_related("organization", "target_organization", "target_group", "target_computer")
        .prefetch_related(Prefetch("policy_applications", links))
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


def application_names(reach: Reach, application_ids: Sequence[UUID]) -> list[str]:
    """The names of those of the applications that are in reach, in the given order."""
    names = dict(Application.objects.within(reach).filter(id__in=application_ids).values_list("id", "name"))
    return [names[a] for a in application_ids if a in names]


def policies_using(reach: Reach, application_id: UUID) -> QuerySet[Policy]:
    """The policies that name an application, as far as the reach goes. Lower order first."""
    links = PolicyApplication.objects.within(reach).filter(application_id=application_id)
    return policies(reach).filter(id__in=links.values("policy_id"))


def policies_naming(reach: Reach, text: str) -> QuerySet[PolicyApplication]:
    """That a policy is about an application whose name contains `text`."""
    found: QuerySet[PolicyApplication] = PolicyApplication.objects.within(reach)
    return found.filter(application__name__icontains=text)


def agent_settings(reach: Reach) -> QuerySet[AgentSetting]:
    """Every agent setting in reach, and the global ones above, with their scopes. Lower order first."""
    found: QuerySet[AgentSetting] = AgentSetting.objects.within(reach).select_related(
        "organization", "target_organization", "target_group", "target_computer"
    )
    return found.order_by("order", "id")


def settings_listed(reach: Reach, *, organization: str = "") -> QuerySet[AgentSetting]:
    """Agent settings in reach; of one organization and global ones above it, when it is given. Raises NotFound."""
    found = agent_settings(reach)
    if not organization:
        return found
    own = tenants.organization(reach, organization).id
    above = Q(organization_id__in=ancestors(reach, own), level=Level.GLOBAL)
    return found.filter(Q(organization_id=own) | above)


def agent_setting(reach: Reach, setting_id: UUID | str) -> AgentSetting:
    """One agent setting in reach. Raises NotFound."""
    found: AgentSetting | None = agent_settings(reach).filter(id=as_uuid(setting_id)).first()
    if found is None:
        raise NotFound
    return found
