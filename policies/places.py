"""Places in the list as a screen says them: `top`, `up`, `before:<id>`, `position:3` ... and what they mean there."""

from __future__ import annotations

from uuid import UUID

from policies import listing, placing, queries
from policies.listing import PolicyTerms
from policies.models import Policy
from policies.placing import Placement
from portal.common.errors import Refused
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach

MOST_COMPUTERS = 20
NEAREST = 60
_DIGITS = 9


def read_place(text: str) -> Placement:
    """`top`, `bottom`, `before:<id>`, `after:<id>`, `order:<number>`. Raises Refused for anything else."""
    where, _, value = text.partition(":")
    try:
        if where in ("top", "bottom") and not value:
            return placing.TOP if where == "top" else placing.BOTTOM
        if where == "order":
            return placing.at(int(value))
        if where in ("before", "after"):
            return placing.before(UUID(value)) if where == "before" else placing.after(UUID(value))
    except ValueError as error:
        raise Refused("This is no place in the list.", pointer="/place") from error
    raise Refused("This is no place in the list.", pointer="/place")


def place_in(reach: Reach, terms: PolicyTerms, policy: Policy, text: str) -> Placement:
    """Like `read_place`, and `up`, `down`, `position:<n>`: relative to the list that `terms` show, without filters.

    Position 1 is the first policy of the same kind. Raises Refused when there is nothing above, or below.
    """
    where, _, value = text.partition(":")
    if where == "up":
        return _up(reach, terms, policy)
    if where == "down":
        return _down(reach, terms, policy)
    if where == "position" and value.isdecimal() and len(value) <= _DIGITS:
        others = [one for one in listing.changing_places(reach, terms, policy) if one.id != policy.id]
        number = max(1, int(value))
        return placing.before(others[number - 1].id) if number <= len(others) else placing.BOTTOM
    return read_place(text)


def _up(reach: Reach, terms: PolicyTerms, policy: Policy) -> Placement:
    rows, at = _standing(reach, terms, policy)
    if at == 0:
        raise Refused(f"{policy.name} is the first one already.", code="is_first")
    return placing.before(rows[at - 1].id)


def _down(reach: Reach, terms: PolicyTerms, policy: Policy) -> Placement:
    """Before the one after the next, so that it passes a global policy and not all of the same number."""
    rows, at = _standing(reach, terms, policy)
    if at == len(rows) - 1:
        raise Refused(f"{policy.name} is the last one already.", code="is_last")
    following, further = rows[at + 1], rows[at + 2] if at + 2 < len(rows) else None
    if further is None or (further.order, further.organization_id) == (following.order, following.organization_id):
        return placing.after(following.id)
    return placing.before(further.id)


def _standing(reach: Reach, terms: PolicyTerms, policy: Policy) -> tuple[list[Policy], int]:
    rows = listing.changing_places(reach, terms, policy)
    at = next((index for index, row in enumerate(rows) if row.id == policy.id), None)
    if at is None:
        raise Refused(f"{policy.name} is not in the list that is shown; look at its own list to move it.")
    return rows, at


def nearest_choices(reach: Reach, organization: Organization, policy: Policy) -> list[tuple[str, str]]:
    """The policies around one that it can change places with, with their orders: at most 60 on each side."""
    terms = PolicyTerms(organization=str(organization.id), include_disabled=True)
    rows = listing.changing_places(reach, terms, policy)
    at = next((index for index, row in enumerate(rows) if row.id == policy.id), 0)
    near = [row for row in rows[max(0, at - NEAREST) : at + NEAREST + 1] if row.id != policy.id]
    return [(str(row.id), f"{row.order}  {row.name}") for row in near]


def computers_named(reach: Reach, organization_id: UUID | None, text: str) -> list[Computer]:
    """Computers whose name contains `text`, by name, at most 20."""
    found = tenants.computers(reach, organization_id) if organization_id else tenants.computers(reach)
    return list(found.filter(name__icontains=text).order_by("name", "id")[:MOST_COMPUTERS])


def application_name(reach: Reach, application_id: str) -> str:
    """What the filter on one application is called. Raises NotFound."""
    return queries.application(reach, application_id).name
