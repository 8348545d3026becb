"""Policies and applications as the engine sees them, read for one organization at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from django.db.models import Q

from policies.engine import model, rules
from policies.models import Application, FileRule, Kind, Level, Policy, PolicyApplication
from policies.schedules import window_values
from portal.common import clock
from portal.tenants.models import Organization
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching


@dataclass(frozen=True, slots=True)
class Rules:
    """What may apply to an organization's computers: its own policies and the global ones above, disabled too.

    `applications` by id: every one that a policy names. `os_of`: their operating systems, by id.
    """

    applications: Mapping[str, model.Application]
    os_of: Mapping[str, str]
    policies: tuple[model.Policy, ...]

    def applications_for(self, os: str) -> tuple[model.Application, ...]:
        return tuple(a for a in self.applications.values() if self.os_of[a.id] == os)

    def policies_for(self, os: str) -> tuple[model.Policy, ...]:
        """The policies that can decide on this operating system, each with that system's applications only."""
        return tuple(p for p in (self._narrowed(policy, os) for policy in self.policies) if p is not None)

    def _narrowed(self, policy: model.Policy, os: str) -> model.Policy | None:
        if policy.is_default:
            return policy
        mine = tuple(a for a in policy.applications if self.os_of.get(a) == os)
        if mine == policy.applications:
            return policy
        return replace(policy, applications=mine) if mine else None


def load_rules(organization_id: UUID, ancestors: Collection[UUID]) -> Rules:
    """Read the policies of an organization and the global ones of those above it. Five statements.

    Reads as the system; the caller has checked that the organization may be seen.
    """
    with reaching(system_reach("what applies to computers")) as system:
        found = list(
            Policy.objects.within(system)
            .filter(Q(organization_id=organization_id) | Q(organization_id__in=ancestors, level=Level.GLOBAL))
            .order_by("order", "id")
        )
        zones = dict(
            Organization.objects.within(system)
            .filter(id__in={p.organization_id for p in found})
            .values_list("id", "time_zone")
        )
        links: dict[UUID, list[UUID]] = defaultdict(list)
        rows = PolicyApplication.objects.within(system).filter(policy__in=[p.id for p in found])
        for policy_id, application_id in rows.order_by("position", "id").values_list("policy_id", "application_id"):
            links[policy_id].append(application_id)
        applications, os_of = load_applications({a for ids in links.values() for a in ids})
    policies = tuple(policy_value(p, links[p.id], zones[p.organization_id]) for p in found)
    return Rules(applications, os_of, policies)


def load_applications(ids: Collection[UUID]) -> tuple[dict[str, model.Application], dict[str, str]]:
    """Applications by id, and their operating systems by id. Two statements."""
    with reaching(system_reach("what applies to computers")) as system:
        of_application: dict[UUID, list[rules.FileRule]] = defaultdict(list)
        rows = (
            FileRule.objects.within(system)
            .filter(application_id__in=ids)
            .order_by("application_id", "position")
            .values_list("application_id", "id", "hash", "path", "process", "created_by", "certificate")
        )
        for application_id, rule_id, *conditions in rows:
            of_application[application_id].append(rules.FileRule(str(rule_id), *conditions))
        found = Application.objects.within(system).filter(id__in=ids).order_by("name", "id")
        applications, os_of = {}, {}
        for application in found:
            key = str(application.id)
            builtin = application.kind == Kind.BUILTIN
            of = tuple(of_application[application.id])
            applications[key] = model.Application(key, application.name, builtin, of)
            os_of[key] = application.os
    return applications, os_of


def policy_value(policy: Policy, applications: Iterable[UUID], time_zone: str) -> model.Policy:
    """One policy row as the engine sees it. An armed one is enabled and expires when its arm ends: the computer itself
    turns it off. An arm that is over is not there any more."""
    armed = policy.is_armed()
    expires_at = policy.armed_end if armed else policy.expires_at
    return model.Policy(
        id=str(policy.id),
        name=policy.name,
        level=cast(model.Level, str(policy.level)),
        target=str(policy.target_id),
        action=cast(model.Action, str(policy.action)),
        status=cast(model.Status, str(policy.status)),
        order=policy.order,
        applications=tuple(map(str, applications)),
        is_default=policy.is_default,
        enabled=policy.enabled or armed,
        starts_at=clock.to_ms(policy.starts_at) if policy.starts_at else None,
        expires_at=clock.to_ms(expires_at) if expires_at else None,
        schedule=window_values(policy.schedule),
        time_zone=time_zone,
        users=tuple(policy.users),
        allow_request=policy.allow_request,
        kill_running=policy.kill_running,
        log=policy.log,
        ringfence=policy.ringfence,
        armed=armed,
    )
