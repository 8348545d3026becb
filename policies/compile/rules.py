"""Policies and applications as the engine sees them, read for one organization at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from django.db.models import Q, QuerySet

from policies.engine import model, rules
from policies.engine.facts import FileFacts
from policies.engine.rule_index import RuleIndex
from policies.engine.variables import STANDARD_MACHINE
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
        found = Policy.objects.within(system)
        return _rules(
            found.filter(Q(organization_id=organization_id) | Q(organization_id__in=ancestors, level=Level.GLOBAL))
        )


def _rules(found: QuerySet[Policy], only: Collection[UUID] | None = None) -> Rules:
    """The policies with the applications that they name, or those `only`."""
    with reaching(system_reach("what applies to computers")) as system:
        policies = list(found.order_by("order", "id"))
        zones = dict(
            Organization.objects.within(system)
            .filter(id__in={p.organization_id for p in policies})
            .values_list("id", "time_zone")
        )
        links: dict[UUID, list[UUID]] = defaultdict(list)
        rows = PolicyApplication.objects.within(system).filter(policy__in=[p.id for p in policies])
        for policy_id, application_id in rows.order_by("position", "id").values_list("policy_id", "application_id"):
            links[policy_id].append(application_id)
        named = {a for ids in links.values() for a in ids}
        applications, os_of = load_applications(named if only is None else named & set(only))
    values = tuple(policy_value(p, links[p.id], zones[p.organization_id]) for p in policies)
    return Rules(applications, os_of, values)


def load_rules_about(facts: FileFacts, os: str, organization_ids: Collection[UUID]) -> Rules:
    """What has a say about one file in any of these organizations: the policies (of these organizations, disabled ones
    left out) on applications that match `facts`, those on applications with a rule that cannot be read, and defaults.

    `facts` are in normal form. No other application is read. Reads as the system; about seven statements.
    """
    with reaching(system_reach("what applies to computers")) as system:
        matter = _matching(facts, os, organization_ids)
        named = PolicyApplication.objects.within(system).filter(application_id__in=matter)
        of_these = Policy.objects.within(system).filter(organization_id__in=organization_ids)
        found = of_these.filter(Q(is_default=True) | Q(id__in=named.values("policy_id")))
        return _rules(found.exclude(enabled=False, armed_until__isnull=True), matter)


def _matching(facts: FileFacts, os: str, organization_ids: Collection[UUID]) -> set[UUID]:
    """The applications of which a rule matches, or cannot be read. A rule of nothing but another file's hash (and a
    signer) can do neither, and is not read from the database."""
    with reaching(system_reach("what applies to computers")) as system:
        other = Q(path="", process="", created_by="") & ~Q(hash="") & ~Q(hash=facts.sha256)
        usable = Q(organization_id__isnull=True) | Q(organization_id__in=organization_ids)
        rows = FileRule.objects.within(system).filter(usable, application__os=os).exclude(other).order_by()
        columns = ("application_id", "id", "hash", "path", "process", "created_by", "certificate")
        of: dict[UUID, list[rules.FileRule]] = defaultdict(list)
        for application_id, rule_id, *conditions in rows.values_list(*columns):
            of[application_id].append(rules.FileRule(str(rule_id), *conditions))
    index = RuleIndex((model.Application(str(a), "", False, tuple(r)) for a, r in of.items()), os, STANDARD_MACHINE)
    return {UUID(a) for a in index.match(facts).keys() | index.unreadable.keys()}


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
