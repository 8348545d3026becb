"""The ordered list of policies, and what its rows can do: enable, disable, delete, move."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from policies import authoring, choices, listing, placing, queries, rows
from policies.forms import MoveForm, PolicyFilter
from policies.listing import PolicyTerms
from policies.models import Policy
from policies.placing import Placement
from portal.common.errors import Conflict, Invalid, NotFound, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import Page, keyset
from portal.common.templatetags.portcullis import address
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_FRAGMENTS = frozenset({"policy-table", "rows"})
_CHANGED = ("changes-made", "policies-changed")
_PAGE = 40


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def policy_list(request: PortalRequest) -> HttpResponse:
    """Policies as computers walk them: of an organization, or as one group or computer sees them."""
    return _list(request)


def _list(request: PortalRequest, *, fault: str = "", status: int = 200, events: tuple[str, ...] = ()) -> HttpResponse:
    looked_at = _looked_at(request)
    asked = PolicyFilter(looked_at).asked()
    organization = request.organization
    terms = PolicyTerms(**asked, organization=str(organization.id) if organization else "")
    found = listing.policies_listed(request.reach, terms)
    after = looked_at.get("after", "")
    page: Page[Policy] = keyset(found, order=listing.AS_EVALUATED, after=after, size=_PAGE)
    context: dict[str, Any] = {
        "page": page,
        "rows": rows.policy_rows(
            request.reach, page.rows, organization_id=organization.id if organization else None, after=after
        ),
        "asked": asked,
        "fault": fault,
        "may_write": bool(organization) and request.reach.can(Capability.POLICY_WRITE, organization.id),
    }
    if organization and request.htmx.target not in _FRAGMENTS:
        context |= {
            "groups": [g for g in tenants.groups(request.reach, organization.id) if not g.is_global],
            "seen_by": _seen_by(request, terms),
            "builtin_first": listing.organization_builtin_first(request.reach, organization.id),
        }
    return respond(request, "policies/list.html", context, fragments=_FRAGMENTS, status=status, events=events)


def _looked_at(request: PortalRequest) -> QueryDict:
    """The query of the list as it is on the screen: after a write by htmx that is what the browser's address says."""
    if request.method == "POST" and request.htmx:
        return QueryDict(urlsplit(request.htmx.current_url or "").query)
    return request.GET


def _seen_by(request: PortalRequest, terms: PolicyTerms) -> str:
    """Whose view the list is, in words."""
    if terms.effective_for:
        return f"As seen by {tenants.computer(request.reach, terms.effective_for)}"
    if terms.effective_in:
        return f"As seen by {tenants.group(request.reach, terms.effective_in)}"
    if terms.scope:
        return f"Scope {terms.scope}"
    return f"Everything in {request.organization}"


@require_POST
@needs(Capability.POLICY_WRITE)
def policy_switch(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Enable or disable a policy."""
    found = own_policy(request, policy)
    enabled = request.POST.get("enabled") == "on"
    return _after(request, lambda: authoring.set_enabled(request.reach, found.id, enabled=enabled))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_delete(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Delete a policy, after saying what that means."""
    found = own_policy(request, policy)
    if request.method != "POST":
        context = {"policy": found, "back": list_address(request)}
        return respond(request, "policies/delete.html", context, fragments={"dialog"})
    return _after(request, lambda: authoring.delete_policy(request.reach, found.id))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_move(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Move a policy: at once when `place` is sent, else ask where to."""
    found = own_policy(request, policy)
    if request.method == "POST" and "place" in request.POST:
        place = read_place(request.POST["place"])
        return _after(request, lambda: authoring.move_policy(request.reach, found.id, place=place))
    neighbours = choices.neighbour_choices(request.reach, request.organization, moving=found)
    form = MoveForm(request.POST or None, neighbours=neighbours, initial={"order": found.order, "where": "before"})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        typed = data["order"] if data["where"] == "order" else data["other"]
        place = read_place(f"{data['where']}:{typed}")
        return _after(request, lambda: authoring.move_policy(request.reach, found.id, place=place))
    context = {"form": form, "policy": found, "query": request.GET.urlencode()}
    status = 422 if form.errors else 200
    return respond(request, "policies/move.html", context, fragments={"dialog"}, status=status)


def _after(request: PortalRequest, write: Any) -> HttpResponse:
    """Do it, then show the list again; what a rule refuses is told above the list."""
    try:
        write()
    except (Refused, Conflict, Invalid) as error:
        if not request.htmx:
            raise
        return _list(request, fault=error.message, status=error.status)
    if request.htmx:
        return _list(request, events=_CHANGED)
    return redirect(list_address(request))


def list_address(request: PortalRequest) -> str:
    """The list with the filters that the present address carries along."""
    query = request.GET.urlencode()
    return address("policies:policy-list", request.organization) + (f"?{query}" if query else "")


def own_policy(request: PortalRequest, policy: UUID) -> Policy:
    """The policy of the organization in the address; one of another organization is not found under it."""
    found = queries.policy(request.reach, policy)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


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
