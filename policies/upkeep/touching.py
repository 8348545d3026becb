"""What may be tidied by whom: the applications asked for, checked and locked, and the policies that name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from policies import changes, queries
from policies.catalogue import count_application_change
from policies.models import Application, Level, Policy, PolicyApplication
from policies.scopes import lock_organization
from portal.common.errors import Forbidden, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class User:
    """A policy that names one of the applications; its organization may lie out of the caller's reach."""

    policy_id: UUID
    name: str
    organization_id: UUID
    level: str


def own_applications(reach: Reach, organization_id: UUID, ids: Sequence[UUID | str]) -> list[Application]:
    """Custom applications of one organization, in the given order, each once. Raises NotFound, Refused for built-in
    ones."""
    found = {}
    wanted = dict.fromkeys(map(str, ids))
    if len(wanted) > MOST_AT_ONCE:
        raise Refused(f"At most {MOST_AT_ONCE} applications at once.", code="too_many")
    for one in wanted:
        application = queries.application(reach, one)
        if application.is_builtin:
            raise Refused(
                f"{application.name} is built in and follows the catalogue: it stays as it is.",
                code="builtin_is_fixed",
            )
        if application.organization_id != organization_id:
            raise NotFound
        found[application.id] = application
    return list(found.values())


def users_of(application_ids: Sequence[UUID]) -> list[User]:
    """Every policy that names one of these, whoever's it is, lower order first. Reads as the system."""
    with reaching(system_reach("which policies name an application")) as system:
        links = PolicyApplication.objects.within(system).filter(application_id__in=application_ids)
        found = Policy.objects.within(system).filter(id__in=links.values("policy_id")).order_by("order", "id")
        return [User(p.id, p.name, p.organization_id, p.level) for p in found]


def require_rights(
    reach: Reach, organization_id: UUID, users: Sequence[User], *, relinked: frozenset[UUID] = frozenset()
) -> None:
    """Raise Forbidden or Refused unless the caller may change applications here that these policies name.

    A global policy needs the global capability. `relinked` policies get other applications: each needs the right to
    change policies where it lives, and one that the caller cannot see is nobody to change for them.
    """
    reach.require(Capability.APPLICATION_WRITE, organization_id)
    hidden = [user for user in users if user.policy_id in relinked and not reach.sees(user.organization_id)]
    if hidden:
        many = f"{len(hidden)} policies" if len(hidden) > 1 else "A policy"
        raise Refused(
            f"{many} of other organizations would have to change, and you may not see them. "
            "Somebody who may change policies there can do this.",
            code="policies_out_of_reach",
        )
    for user in users:
        if user.level == Level.GLOBAL and not reach.can(Capability.GLOBAL_WRITE, user.organization_id):
            raise Forbidden(Capability.GLOBAL_WRITE, f"The global policy {user.name} names one of these applications.")
        if user.policy_id in relinked and not reach.can(Capability.POLICY_WRITE, user.organization_id):
            raise Forbidden(Capability.POLICY_WRITE, f"The policy {user.name} would have to change.")


def lock(reach: Reach, organization_id: UUID, users: Sequence[User]) -> None:
    """Lock the organization and those whose policies are touched: the owner first, then by id."""
    lock_organization(reach, organization_id)
    others = {user.organization_id for user in users if reach.sees(user.organization_id)} - {organization_id}
    for other in sorted(others):
        lock_organization(reach, other)


def count_changes(reach: Reach, applications: Sequence[Application], *, verb: str, summary: str) -> None:
    """One pending change for each organization with an enabled policy on one of these; else the revision only."""
    for application in applications:
        count_application_change(reach, application, verb=verb, summary=summary)
    for owner in {application.organization_id for application in applications}:
        if owner is not None:
            changes.touch(reach, owner)


def tell_others(
    reach: Reach, organization_id: UUID, users: Sequence[User], relinked: frozenset[UUID], *, verb: str, summary: str
) -> None:
    """In the System Audit of every other organization whose policies got other applications: which, and how."""
    names: dict[UUID, list[str]] = {}
    for user in users:
        if user.policy_id in relinked and user.organization_id != organization_id:
            names.setdefault(user.organization_id, []).append(user.name)
    for other in sorted(names):
        after = {"what": summary, "policies": names[other]}
        journal.record(reach, verb, None, organization_id=other, after=after)
