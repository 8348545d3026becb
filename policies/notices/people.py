"""Who may be told: people who have the organization in reach. Checked when they are chosen, and again at each mail."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from policies import queries
from portal.accounts.models import Membership, User
from portal.common.errors import FieldError, Invalid
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching


def addressees(reach: Reach, organization_id: UUID) -> list[tuple[str, str]]:
    """(address, name) of the people that may be chosen, by name: those with a role at the organization or above it
    whom the actor may see, and the actor."""
    line = {organization_id, *queries.ancestors(reach, organization_id)}
    seen = line if reach.everything else line & set(reach.with_capability(Capability.USER_READ))
    members = Membership.objects.within(reach).filter(organization_id__in=seen).values("user_id")
    found = User.objects.filter(id__in=members, is_active=True)
    if reach.actor.kind == "user":
        found = found | User.objects.filter(id=reach.actor.id, is_active=True)
    return [(user.email, user.name or user.email) for user in found.distinct().order_by("name", "email")]


def checked_addresses(
    reach: Reach, organization_id: UUID, wanted: Iterable[str], *, was: Collection[str] = ()
) -> tuple[str, ...]:
    """The addresses in lower case, each once. Raises Invalid for one that may not be chosen; `was` may stay."""
    found = tuple(dict.fromkeys(address.strip().lower() for address in wanted))
    new = [address for address in found if address not in was]
    known = {address for address, _ in addressees(reach, organization_id)} if new else set()
    faults = [
        FieldError(f"/notify/{index}", f"{address} is nobody with access to this organization whom you may see.")
        for index, address in enumerate(found)
        if address in new and address not in known
    ]
    if faults:
        raise Invalid(faults)
    return found


def still_reaches(address: str, organization_id: UUID) -> bool:
    """Whether somebody with this address still has a role at the organization or above it."""
    with reaching(system_reach("who may still be told of a deny")) as system:
        line = [organization_id, *queries.ancestors(system, organization_id)]
        members = Membership.objects.within(system).filter(organization_id__in=line, user__is_active=True)
        return members.filter(user__email=address).exists()
