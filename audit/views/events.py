"""The list of events, one event as drawer or page, its explanation, and the history of a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET, require_safe

from audit import export, search
from audit.explain import explain
from audit.history import file_history, history_of, history_of_alike
from audit.listing import DEFAULT_LINE, listing, related
from audit.search_terms import EventTerms
from audit.verdicts import verdict
from portal.common.errors import Invalid, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants.capabilities import Capability

_COLUMNS = (("user", "User"), ("action", "Action"), ("parent", "Parent"), ("policy", "Policy"), ("signer", "Signer"))
_LIST_FRAGMENTS = {"audit-results", "rows"}


@require_safe
@needs(Capability.AUDIT_READ, everywhere=True)
def event_list(request: PortalRequest) -> HttpResponse:
    """The Unified Audit. Without `q` it asks for the denials of the last 24 hours, and says so in the query line."""
    line = request.GET.get("q", DEFAULT_LINE)
    after = request.GET.get("after", "")
    try:
        terms = EventTerms.parse(line)
        if request.htmx.target == "rows":
            page = search.events(request.reach, terms, organization=request.organization, after=after)
            context: dict[str, Any] = {"page": page}
        else:
            shown = listing(request.reach, terms, organization=request.organization, after=after)
            context = {"listing": shown, "page": shown.page}
    except (Invalid, Refused) as error:
        return _refused(request, line, error)
    context |= {"line": line, "columns": _COLUMNS}
    return respond(request, "audit/event_list.html", context, fragments=_LIST_FRAGMENTS)


def _refused(request: PortalRequest, line: str, error: Invalid | Refused) -> HttpResponse:
    """422: the sentence that says what is wrong with the line; what was found before stays on the screen."""
    context = {"line": line, "fault": error.message, "columns": _COLUMNS}
    response = respond(request, "audit/event_list.html", context, fragments=set(), status=422)
    if request.htmx.target in _LIST_FRAGMENTS:
        response = respond(request, "audit/query_fault.html", context, status=422)
        response["HX-Retarget"] = "#query-fault"
        response["HX-Reswap"] = "outerHTML"
        response["HX-Push-Url"] = "false"
    return response


@require_safe
@needs(Capability.AUDIT_READ, everywhere=True)
def event_fresh(request: PortalRequest) -> HttpResponse:
    """How many events came since `?newest=` (an event's id): what the list offers to show, without moving."""
    line, newest = request.GET.get("q", DEFAULT_LINE), request.GET.get("newest", "")
    number = search.count_since(request.reach, EventTerms.parse(line), newest, organization=request.organization)
    return respond(request, "audit/fresh.html", {"line": line, "newest": newest, "fresh": number})


@require_GET
@needs(Capability.AUDIT_READ, everywhere=True)
def event_export(request: PortalRequest) -> HttpResponse:
    """The whole list of a query as CSV, streamed. Stands in the System Audit."""
    terms = EventTerms.parse(request.GET.get("q", DEFAULT_LINE))
    lines = export.csv_lines(request.reach, terms, organization=request.organization)
    return export.csv_response(lines)


@require_safe
@needs(Capability.AUDIT_READ, everywhere=True)
def event_detail(request: PortalRequest, event: str) -> HttpResponse:
    """One event: in the drawer, or as a page."""
    row = search.event(request.reach, event, organization=request.organization)
    seen = history_of(request.reach, row)
    context = {
        "event": row,
        "verdict": verdict(row, seen),
        "history": seen,
        "related": related(row),
        "explanation": explain(request.reach, row),
        "may_permit": row.computer is not None and _may_permit(request, row.organization),
    }
    return respond(request, "audit/event.html", context, fragments={"drawer"})


def _may_permit(request: PortalRequest, organization: Any) -> bool:
    """Both rights that Permit Application takes, at the event's organization or above."""
    return organization is not None and request.reach.can(Capability.POLICY_WRITE, organization.id)


@require_safe
@needs(Capability.AUDIT_READ, everywhere=True)
def history(request: PortalRequest) -> HttpResponse:
    """View File History of `?path=` or `?sha256=`; with `&alike=1` names that differ only in digits count as one."""
    path, sha256 = request.GET.get("path", ""), request.GET.get("sha256", "")
    if path and request.GET.get("alike"):
        seen = history_of_alike(request.reach, path=path, organization=request.organization)
    else:
        seen = file_history(request.reach, path=path, sha256=sha256, organization=request.organization)
    return respond(request, "audit/file_history.html", {"history": seen}, fragments={"drawer"})
