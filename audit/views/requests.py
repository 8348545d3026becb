"""Approval requests as screens: the list, one request with its four questions, and the answers."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST, require_safe

from audit import requests
from audit.history import history_of
from audit.models import ApprovalRequest, RequestState
from audit.permit_sheet import Sheet, sheet
from audit.views.permit import told
from policies.models import Level
from portal.common.errors import Conflict, Invalid, NotFound, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import keyset
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability


@require_safe
@needs(Capability.REQUEST_READ, everywhere=True)
def request_list(request: PortalRequest) -> HttpResponse:
    """Requests, newest first; the pending ones unless `?state=` asks for others (`all` for every one)."""
    state = request.GET.get("state", RequestState.PENDING)
    organization_id = request.organization.id if request.organization else None
    wanted = state if state in RequestState.values else ""
    rows = requests.approval_requests(request.reach, organization_id=organization_id, state=wanted)
    page = keyset(rows, order=("-created_at", "-id"), after=request.GET.get("after", ""))
    tabs = [
        (
            key,
            label,
            f"?state={key}",
            requests.pending_count(request.reach, organization_id) if key == "pending" else "",
        )
        for key, label in (*RequestState.choices[:4], ("all", "All"))
    ]
    context = {"page": page, "tabs": tabs, "state": state}
    return respond(request, "audit/request_list.html", context, fragments={"rows"})


@require_safe
@needs(Capability.REQUEST_READ)
def request_detail(request: PortalRequest, request_id: UUID) -> HttpResponse:
    """One request: what it is, who asks, and, as long as nobody answered, the sheet."""
    found = _found(request, request_id)
    return _shown(request, found, _sheet(request, found) if found.state == RequestState.PENDING else None)


@require_POST
@needs(Capability.REQUEST_DECIDE)
def request_approve(request: PortalRequest, request_id: UUID) -> HttpResponse:
    """Approve with the answers of the sheet. 422 keeps what was typed."""
    found = _found(request, request_id)
    filled = _sheet(request, found, request.POST.dict())
    if filled.errors:
        return _shown(request, found, filled, status=422)
    try:
        made = requests.approve_request(
            request.reach, found.id, permit=filled.form.permit(), answer=str(filled.form.cleaned_data["answer"])
        )
    except (Invalid, Refused) as error:
        return _shown(request, found, _sheet(request, found, request.POST.dict(), told(error)), status=422)
    except Conflict as error:
        return _shown(request, _found(request, request_id), None, status=409, note=error.message)
    messages.success(request, f"Approved at {made.scope_name}: {made.policy.name}. {made.not_sent}".strip())
    return HttpResponseRedirect(address("audit:request-detail", request.organization, request_id=found.id))


@require_POST
@needs(Capability.REQUEST_DECIDE)
def request_deny(request: PortalRequest, request_id: UUID) -> HttpResponse:
    """Deny, with a reason for the record and words for the person who asked."""
    found = _found(request, request_id)
    try:
        requests.deny_request(
            request.reach,
            found.id,
            reason=request.POST.get("deny_reason", ""),
            tell_user=request.POST.get("tell_user", ""),
        )
    except Conflict as error:
        return _shown(request, _found(request, request_id), None, status=409, note=error.message)
    messages.success(request, "Denied. The person who asked is told.")
    return HttpResponseRedirect(address("audit:request-detail", request.organization, request_id=found.id))


def _found(request: PortalRequest, request_id: UUID) -> ApprovalRequest:
    found = requests.approval_request(request.reach, request_id)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def _sheet(
    request: PortalRequest,
    found: ApprovalRequest,
    sent: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Sheet:
    may_write = request.reach.can(Capability.POLICY_WRITE, found.organization_id)
    widest = Level.GLOBAL if may_write else Level.ORGANIZATION
    return sheet(request.reach, requests.event_of(found), sent, widest=widest, errors=errors)


def _shown(
    request: PortalRequest, found: ApprovalRequest, shown: Sheet | None, *, status: int = 200, note: str = ""
) -> HttpResponse:
    event = requests.event_of(found)
    context = {
        "asked": found,
        "event": event,
        "history": history_of(request.reach, event),
        "sheet": shown,
        "answers": shown.answers if shown else {},
        "errors": shown.errors if shown else {},
        "note": note,
        "is_request": True,
        "may_decide": request.reach.can(Capability.REQUEST_DECIDE, found.organization_id),
    }
    return respond(request, "audit/request.html", context, status=status)
