"""From a person to their reach: memberships down the organization tree, added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from portal.accounts.models import Membership, Role, User
from portal.accounts.roles import capabilities_of
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import NOTHING, Actor, Reach, system_reach
from portal.tenants.scoping import reaching

Tree = Mapping[UUID, tuple[UUID | None, int]]  # organization -> (parent, number)
Grants = Mapping[UUID, frozenset[Capability]]


def reach_of_user(user: User, *, address: str = "", keep_to: Sequence[UUID] | None = None) -> Reach:
    """What `user` may see and do now. A disabled person, or one without membership, reaches nothing.

    `keep_to`: no more than these organizations and what lies beneath them (an empty list is nothing).
    """
    if not user.is_active:
        return NOTHING
    with reaching(system_reach("find a person's reach")) as system:
        granted = [
            (m.organization_id, capabilities_of(Role(m.role), may_act_globally=m.may_act_globally))
            for m in Membership.objects.within(system).filter(user=user)
        ]
        tree = {
            row[0]: (row[1], row[2])
            for row in Organization.objects.within(system).values_list("id", "parent_id", "number")
        }
    grants = _spread(granted, tree)
    if keep_to is not None:
        kept = set(_beneath(keep_to, tree))
        grants = {o: c for o, c in grants.items() if o in kept}
    return Reach(
        Actor("user", str(user.id), str(user), address),
        grants=grants,
        numbers={o: tree[o][1] for o in grants},
        ancestors=frozenset(_above(grants, tree)),
    )


def _spread(granted: Iterable[tuple[UUID, frozenset[Capability]]], tree: Tree) -> Grants:
    """Carry each grant down to everything beneath it; several grants add up."""
    grants: dict[UUID, frozenset[Capability]] = {}
    for top, capabilities in granted:
        for organization in _beneath([top], tree):
            grants[organization] = grants.get(organization, frozenset()) | capabilities
    return grants


def _beneath(tops: Iterable[UUID], tree: Tree) -> Iterator[UUID]:
    """The organizations named, and everything beneath them. Unknown ids are nothing."""
    children: dict[UUID | None, list[UUID]] = defaultdict(list)
    for organization, (parent, _) in tree.items():
        children[parent].append(organization)
    waiting = [top for top in tops if top in tree]
    while waiting:
        organization = waiting.pop()
        yield organization
        waiting.extend(children[organization])


def _above(grants: Grants, tree: Tree) -> Iterator[UUID]:
    """Organizations above those in reach that are not in reach themselves."""
    for organization in grants:
        above = tree[organization][0]
        while above is not None:
            if above not in grants:
                yield above
            above = tree[above][0]
