"""The ordered list of policies, the place it is looked at from, and its rows' switch and deletion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from policies import bulk, export, listing, places, queries, rows
from policies.list_forms import PolicyFilter, chip_texts
from policies.listing import PolicyTerms, Standing
from policies.models import Policy
from policies.moving import MovedMeanwhile, RenumberingUnseen
from policies.places import read_place
from policies.views.undo import offer
from portal.common import clock
from portal.common.errors import Conflict, Invalid, NotFound, PortalError, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import Page, keyset, pack_cursor
from portal.common.templatetags.portcullis import address
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

__all__ = ["list_address", "own_policy", "policy_delete", "policy_list", "policy_switch", "read_place"]
_FRAGMENTS = frozenset({"policy-table", "rows"})
CHANGED = ("changes-made", "policies-changed")
_PAGE = 40
_MOST_SHOWN = 400
_BEFORE_ASKED = 12
COLUMNS = (
    ("applications", "Applications"), ("scope", "Scope"), ("action", "Action"), ("fence", "Ringfence"),
    ("status", "Status"), ("hits", "Matches in 30 days"), ("last", "Last match"), ("owner", "Owner"),
    ("state", "State"),
)  # fmt: skip


_VERBS = (
    ("do", "enable", "Enable", ""), ("do", "disable", "Disable", ""), ("do", "copy", "Copy…", ""),
    ("do", "status", "Set status…", ""), ("do", "delete", "Delete…", "deny"),
)  # fmt: skip


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def policy_list(request: PortalRequest) -> HttpResponse:
    """Policies as computers walk them: of an organization, or as one group or computer sees them."""
    return show_list(request)


def show_list(
    request: PortalRequest, *, fault: PortalError | None = None, status: int = 200, events: tuple[str, ...] = ()
) -> HttpResponse:
    """The list as it is looked at, after a write too. `fault`: what a rule refused, or who was first."""
    looked_at = _looked_at(request)
    form = PolicyFilter(looked_at)
    asked, terms = form.asked(), terms_of(request)
    organization = request.organization
    at = listing.standing(request.reach, terms)
    found = listing.policies_listed(request.reach, terms, at=at)
    after, size = _from_where(request, looked_at, terms, at)
    page: Page[Policy] = keyset(found, order=listing.AS_EVALUATED, after=after, size=size)
    context: dict[str, Any] = {
        "page": page,
        "rows": rows.policy_rows(
            request.reach,
            page.rows,
            terms=terms,
            at=at,
            organization_id=organization.id if organization else None,
            after=after,
        ),
        "asked": asked,
        "fault": fault,
        "moved": fault if isinstance(fault, MovedMeanwhile) else None,
        "wanted": request.POST.get("place", ""),
        "may_write": bool(organization) and request.reach.can(Capability.POLICY_WRITE, organization.id),
        "may_drag": bool(organization) and not terms.is_filtered,
        "columns": COLUMNS,
        "verbs": _VERBS,
    }
    if request.htmx.target != "rows":
        context |= _around(request, form, asked, terms, at)
    return respond(request, "policies/list.html", context, fragments=_FRAGMENTS, status=status, events=events)


def _around(
    request: PortalRequest, form: PolicyFilter, asked: dict[str, Any], terms: PolicyTerms, at: Standing
) -> dict[str, Any]:
    """What stands above the table; on a whole page also what the place can be changed to."""
    name = places.application_name(request.reach, terms.application) if terms.application else ""
    context: dict[str, Any] = {
        "builtin_first": at.builtin_first,
        "builtin_from": at.builtin_from,
        "hidden": listing.hidden_count(request.reach, terms, at=at),
        "chips": [(text, _without(request, chip)) for chip, text in chip_texts(asked, name)],
        "unfiltered": _without(request, *(chip for chip, _ in chip_texts(asked))),
        "everything": _with_disabled(request),
    }
    organization = request.organization
    if request.htmx.target in _FRAGMENTS:
        return context
    context |= {"filter": form, "seen_by": _seen_by(request, terms)}
    if organization:
        groups = tenants.groups(request.reach, organization.id).filter(is_global=False)
        context["groups"] = list(groups[: places.MOST_COMPUTERS])
    return context


def terms_of(request: PortalRequest) -> PolicyTerms:
    """What the list on the screen is narrowed to."""
    organization = request.organization
    return PolicyFilter(_looked_at(request)).terms(str(organization.id) if organization else "")


def _looked_at(request: PortalRequest) -> QueryDict:
    """The query of the list as it is on the screen: after a write by htmx that is what the browser's address says."""
    if request.method == "POST" and request.htmx:
        return QueryDict(urlsplit(request.htmx.current_url or "").query)
    return request.GET


def _from_where(request: PortalRequest, looked_at: QueryDict, terms: PolicyTerms, at: Standing) -> tuple[str, int]:
    """(cursor, rows): as many rows as were shown before a write; with `at`, enough to have that policy among them."""
    shown = request.POST.get("shown", "") if request.method == "POST" else request.GET.get("shown", "")
    size = min(max(_PAGE, int(shown)), _MOST_SHOWN) if shown.isdecimal() and len(shown) < 6 else _PAGE
    after, wanted = looked_at.get("after", ""), looked_at.get("at", "")
    if not wanted or after:
        return after, size
    try:
        ahead = listing.position(request.reach, terms, UUID(wanted), at=at)
    except ValueError:
        return "", size
    if ahead is None or ahead + _BEFORE_ASKED <= size:
        return "", size
    first = listing.policies_listed(request.reach, terms, at=at)[ahead - _BEFORE_ASKED - 1]
    return pack_cursor([getattr(first, name) for name in listing.AS_EVALUATED]), size


def _without(request: PortalRequest, *names: str) -> str:
    """The list's address without these filters."""
    query = _looked_at(request).copy()
    for name in (*names, "after", "at"):
        query.pop(name, None)
    return _list_path(request) + (f"?{query.urlencode()}" if query else "")


def _with_disabled(request: PortalRequest) -> str:
    """The same place with everything in it: no filter, disabled and expired ones too."""
    looked_at, query = _looked_at(request), QueryDict(mutable=True)
    for name in ("scope", "target", "effective_for", "effective_in"):
        if name in looked_at:
            query[name] = looked_at.get(name, "")
    query["include_disabled"] = "true"
    return f"{_list_path(request)}?{query.urlencode()}"


def _list_path(request: PortalRequest) -> str:
    return address("policies:policy-list", request.organization)


def _seen_by(request: PortalRequest, terms: PolicyTerms) -> str:
    """Whose view the list is, in words."""
    if terms.effective_for:
        return f"As seen by {tenants.computer(request.reach, terms.effective_for)}"
    if terms.effective_in:
        return f"As seen by {tenants.group(request.reach, terms.effective_in)}"
    if terms.scope:
        return f"{terms.scope.capitalize()} policies only"
    return f"Everything in {request.organization}" if request.organization else "Everything in all organizations"


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def policy_places(request: PortalRequest) -> HttpResponse:
    """Computers to look at the list from, by what is typed of their names."""
    text = request.GET.get("q", "").strip()[:100]
    organization_id = request.organization.id if request.organization else None
    found = places.computers_named(request.reach, organization_id, text) if text else []
    context = {"q": text, "computers": found}
    return respond(request, "policies/places.html", context, fragments={"places-found"})


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def policy_export(request: PortalRequest) -> HttpResponse:
    """The list as filtered, as CSV."""
    lines = export.policy_lines(request.reach, terms_of(request), organization=request.organization)
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="policies-{clock.now():%Y%m%d-%H%M%S}.csv"'
    answer["Cache-Control"] = "no-store"
    return cast(HttpResponse, answer)


@require_POST
@needs(Capability.POLICY_WRITE)
def policy_switch(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Enable or disable a policy."""
    found = own_policy(request, policy)
    change = bulk.enable_policies if request.POST.get("enabled") == "on" else bulk.disable_policies
    return after_write(request, lambda: change(request.reach, [found.id], organization_id=found.organization_id).step)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_delete(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Delete a policy, after saying what that means."""
    found = own_policy(request, policy)
    if request.method != "POST":
        context = {"policy": found, "back": list_address(request)}
        return respond(request, "policies/delete.html", context, fragments={"dialog"})
    organization_id = found.organization_id
    return after_write(
        request, lambda: bulk.delete_policies(request.reach, [found.id], organization_id=organization_id).step
    )


def after_write(request: PortalRequest, write: Callable[[], Any]) -> HttpResponse:
    """Do it, then show the list again, with the step that undoes it; what a rule refuses is told above the list.

    A renumbering that nobody has seen is the caller's to ask about.
    """
    try:
        step = write()
    except RenumberingUnseen:
        raise
    except (Refused, Conflict, Invalid) as error:
        if not request.htmx:
            raise
        return show_list(request, fault=error, status=error.status)
    if request.htmx:
        return offer(show_list(request, events=CHANGED), step)
    return redirect(list_address(request))


def list_address(request: PortalRequest) -> str:
    """The list with the filters that the present address carries along."""
    query = request.GET.urlencode()
    return _list_path(request) + (f"?{query}" if query else "")


def own_policy(request: PortalRequest, policy: UUID) -> Policy:
    """The policy of the organization in the address; one of another organization is not found under it."""
    found = queries.policy(request.reach, policy)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found
