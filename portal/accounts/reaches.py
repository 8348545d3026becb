"""From a person to their reach: memberships down the organization tree, added up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from portal.accounts.models import Membership, Role, User
from portal.accounts.roles import capabilities_of
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import NOTHING, Actor, Reach, system_reach
from portal.tenants.scoping import reaching


def reach_of_user(user: User, *, address: str = "") -> Reach:
    """What `user` may see and do now. A disabled person, or one without membership, reaches nothing."""
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
    actor = Actor("user", str(user.id), str(user), address)
    return _spread(actor, granted, tree)


def _spread(
    actor: Actor,
    granted: Iterable[tuple[UUID, frozenset[Capability]]],
    tree: dict[UUID, tuple[UUID | None, int]],
) -> Reach:
    """Carry each grant down to everything beneath it; what lies above a grant is an ancestor."""
    children: dict[UUID | None, list[UUID]] = defaultdict(list)
    for organization, (parent, _) in tree.items():
        children[parent].append(organization)
    grants: dict[UUID, frozenset[Capability]] = {}
    ancestors: set[UUID] = set()
    for top, capabilities in granted:
        beneath = [top]
        while beneath:
            organization = beneath.pop()
            grants[organization] = grants.get(organization, frozenset()) | capabilities
            beneath.extend(children[organization])
        above = tree[top][0]
        while above is not None:
            ancestors.add(above)
            above = tree[above][0]
    return Reach(
        actor,
        grants=grants,
        numbers={o: tree[o][1] for o in grants},
        ancestors=frozenset(ancestors - grants.keys()),
    )
