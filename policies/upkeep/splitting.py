"""Splitting an application: some of its rules go to a new one, which the chosen policies name as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from policies import catalogue, queries
from policies.catalogue import draft_of
from policies.drafts import MOST_APPLICATIONS
from policies.models import Application, FileRule, PolicyApplication, UndoStep
from policies.upkeep import pictures, sizes, steps, touching
from policies.upkeep.matching import conditions
from policies.upkeep.sizes import NOTHING, Seen
from policies.upkeep.touching import User
from portal.common.errors import Conflict, PortalError, Refused
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.queries import as_uuid
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

RuleSets = dict[UUID, frozenset[tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """A policy that names the application. `chosen`: it gets the new one too. Its name is empty when out of reach."""

    policy_id: UUID
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """What splitting would do. `losing` policies stop matching the rules that leave; `lost` is what those matched in
    30 days. `refusal`: why it will not be done. `seen`: as of which state."""

    application: Application
    rules: tuple[FileRule, ...]
    policies: tuple[SplitPolicy, ...]
    lost: Seen
    refusal: str
    seen: str

    @property
    def losing(self) -> tuple[SplitPolicy, ...]:
        return tuple(policy for policy in self.policies if not policy.chosen)


@dataclass(frozen=True, slots=True)
class SplitDone:
    """The new application and the step. `unchanged`: proved from the saved rows, every policy matches what it did."""

    application: Application
    step: UndoStep
    unchanged: bool


def plan_split(
    reach: Reach,
    organization_id: UUID,
    application_id: UUID | str,
    *,
    rule_ids: Sequence[UUID | str],
    policy_ids: Sequence[UUID | str] | None = None,
) -> SplitPlan:
    """What splitting these rules off would do; every policy gets the new one when `policy_ids` is None."""
    (found,) = touching.own_applications(reach, organization_id, [application_id])
    rules = _leaving(reach, found, rule_ids)
    users = touching.users_of([found.id])
    chosen = _chosen(users, policy_ids)
    policies = tuple(
        SplitPolicy(user.policy_id, user.name if reach.sees(user.organization_id) else "", user.policy_id in chosen)
        for user in users
    )
    lost = NOTHING
    if len(chosen) < len(users):
        organization = tenants.organization(reach, organization_id)
        lost = sizes.seen_by(reach, organization, found.os, [draft_of(rule) for rule in rules])
    return SplitPlan(
        application=found,
        rules=tuple(rules),
        policies=policies,
        lost=lost,
        refusal=_refusal(reach, organization_id, users, chosen),
        seen=pictures.digest(pictures.picture([found.id])),
    )


@transaction.atomic
def split_application(
    reach: Reach,
    organization_id: UUID,
    application_id: UUID | str,
    *,
    name: str,
    rule_ids: Sequence[UUID | str],
    policy_ids: Sequence[UUID | str] | None = None,
    seen: str = "",
) -> SplitDone:
    """Make a new application of some of the rules; they keep their ids. Undoable.

    With all policies chosen (None) nothing that runs changes, which is checked on the saved rows. Raises NotFound,
    Forbidden, Refused, Invalid, Conflict (name taken; changed since `seen`). Locks the organizations touched.
    """
    (found,) = touching.own_applications(reach, organization_id, [application_id])
    touching.lock(reach, organization_id, touching.users_of([found.id]))
    (found,) = touching.own_applications(reach, organization_id, [application_id])
    rules, users = _leaving(reach, found, rule_ids), touching.users_of([found.id])
    chosen = _chosen(users, policy_ids)
    touching.require_rights(reach, organization_id, users, relinked=chosen)
    before = pictures.picture([found.id])
    if seen and seen != pictures.digest(before):
        raise Conflict("The rules or policies were changed since you looked. Look at the preview again.")
    matched = _rule_sets(users)
    made = catalogue.create_application(
        reach, organization_id=organization_id, name=name, os=found.os, publisher=found.publisher,
        category=found.category,
    )  # fmt: skip
    _move(reach, rules, made)
    _link(reach, found, made, chosen)
    found.changed_by = reach.actor.name
    found.save(update_fields=["changed_by", "changed_at"])
    unchanged = _rule_sets(users) == matched
    if chosen == {user.policy_id for user in users} and not unchanged:
        raise Conflict("The split would have changed what policies match, so nothing was done. Please report this.")
    step = _told(reach, found, made, rules, chosen, before)
    touching.tell_others(reach, organization_id, users, chosen, verb=steps.SPLIT, summary=step.summary)
    return SplitDone(made, step, unchanged)


def _told(
    reach: Reach,
    found: Application,
    made: Application,
    rules: Sequence[FileRule],
    chosen: frozenset[UUID],
    before: pictures.Picture,
) -> UndoStep:
    organization_id = made.organization_id
    assert organization_id is not None  # noqa: S101 (a custom application has one)
    summary = f"{len(rules)} rule{'s' if len(rules) != 1 else ''} of {found.name} split off as {made.name}"
    after = {"into": made.name, "rules": [str(rule.id) for rule in rules], "policies": sorted(map(str, chosen))}
    journal.record(reach, steps.SPLIT, found, organization_id=organization_id, after=after)
    touching.count_changes(reach, [found], verb=steps.SPLIT, summary=summary)
    return steps.keep(
        reach,
        organization_id,
        kind=steps.SPLIT,
        summary=summary,
        before=before,
        touched={found.id, made.id},
        relinked=chosen,
    )


def _leaving(reach: Reach, application: Application, rule_ids: Sequence[UUID | str]) -> list[FileRule]:
    """The rules to leave, by position. Raises NotFound, Refused unless some leave and some stay."""
    wanted = {as_uuid(one) for one in rule_ids}
    rules = list(queries.rules_of(reach, application.id))
    leaving = [rule for rule in rules if rule.id in wanted]
    if len(leaving) != len(wanted):
        raise Conflict(f"Some of these rules are no longer in {application.name}. Look at it again.")
    if not leaving:
        raise Refused("Tick the rules that shall go to the new application.", pointer="/rules", code="no_rules")
    if len(leaving) == len(rules):
        raise Refused(
            "All rules would leave. To call the application something else, edit its name.",
            pointer="/rules",
            code="all_rules",
        )
    return leaving


def _chosen(users: Sequence[User], policy_ids: Sequence[UUID | str] | None) -> frozenset[UUID]:
    if policy_ids is None:
        return frozenset(user.policy_id for user in users)
    wanted = frozenset(map(as_uuid, policy_ids))
    if wanted - {user.policy_id for user in users}:
        raise Refused("Choose from the policies that name the application.", pointer="/policies", code="other_policy")
    return wanted


def _refusal(reach: Reach, organization_id: UUID, users: Sequence[User], chosen: frozenset[UUID]) -> str:
    try:
        touching.require_rights(reach, organization_id, users, relinked=chosen)
    except PortalError as error:
        return error.message
    return ""


def _move(reach: Reach, rules: Sequence[FileRule], made: Application) -> None:
    for position, rule in enumerate(rules, start=1):
        rule.application, rule.position = made, position
    FileRule.objects.within(reach).bulk_update(rules, ["application", "position"], batch_size=1000)


def _link(reach: Reach, found: Application, made: Application, chosen: frozenset[UUID]) -> None:
    """Each chosen policy names the new application, last."""
    links: Mapping[UUID, list[PolicyApplication]] = {policy: [] for policy in chosen}
    for link in PolicyApplication.objects.within(reach).filter(policy_id__in=chosen).select_related("policy"):
        links[link.policy_id].append(link)
    news = []
    for mine in links.values():
        policy = mine[0].policy
        if len(mine) >= MOST_APPLICATIONS:
            raise Refused(f"{policy.name} names {MOST_APPLICATIONS} applications already, the most there may be.")
        position = max(link.position for link in mine) + 1
        news.append(
            PolicyApplication(
                organization_id=policy.organization_id, policy=policy, application=made, position=position
            )
        )
    PolicyApplication.objects.within(reach).bulk_create(news)


def _rule_sets(users: Sequence[User]) -> RuleSets:
    """Per policy the rules of all its applications: a policy matches when any of them does, so equal sets match alike.

    Reads as the system, as bundles are compiled.
    """
    with reaching(system_reach("what policies match before and after a split")) as system:
        links = PolicyApplication.objects.within(system).filter(policy_id__in=[user.policy_id for user in users])
        of_policy = [(link.policy_id, link.application_id) for link in links]
        of_application: dict[UUID, set[tuple[str, ...]]] = {application: set() for _, application in of_policy}
        for rule in FileRule.objects.within(system).filter(application_id__in=of_application):
            of_application[rule.application_id].add(conditions(rule))
    found: dict[UUID, set[tuple[str, ...]]] = {user.policy_id: set() for user in users}
    for policy, application in of_policy:
        found[policy] |= of_application[application]
    return {policy: frozenset(rules) for policy, rules in found.items()}
