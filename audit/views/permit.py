"""Permit Application as a screen: the sheet, its preview while it is edited, and the decision."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods, require_POST

from audit import search
from audit.approvals import Permitted, permit_application
from audit.permit_sheet import Sheet, sheet
from portal.common.errors import Conflict, FieldError, Invalid, NotFound, PortalError, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address, there_if_any
from portal.tenants.capabilities import Capability

TEMPLATE = "audit/permit.html"


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def event_permit(request: PortalRequest, event: str) -> HttpResponse:
    """The sheet, prefilled. A POST decides: 422 with all that was typed, or on to where the change goes."""
    row = search.event(request.reach, event, organization=request.organization)
    if row.is_gap or row.computer is None:
        raise NotFound
    if request.method != "POST":
        return _shown(request, sheet(request.reach, row))
    filled = sheet(request.reach, row, request.POST.dict())
    if filled.errors:
        return _shown(request, filled, status=422)
    try:
        made = permit_application(request.reach, event=row, permit=filled.form.permit())
    except (Invalid, Refused, Conflict) as error:
        return _shown(request, sheet(request.reach, row, request.POST.dict(), errors=told(error)), status=422)
    messages.success(request, _sentence(made))
    return HttpResponseRedirect(_next(request, made, row.id))


@require_POST
@needs(Capability.POLICY_WRITE)
def event_impact(request: PortalRequest, event: str) -> HttpResponse:
    """What the rule as typed would have changed: the sheet's right side. Changes nothing."""
    row = search.event(request.reach, event, organization=request.organization)
    if row.is_gap or row.computer is None:
        raise NotFound
    return _shown(request, sheet(request.reach, row, request.POST.dict()))


def _shown(request: PortalRequest, shown: Sheet, status: int = 200) -> HttpResponse:
    context = {"sheet": shown, "event": shown.event, "answers": shown.answers, "errors": shown.errors}
    return respond(request, TEMPLATE, context, fragments={"match-preview"}, status=status)


def told(error: PortalError) -> dict[str, str]:
    """A refusal as the sheet shows it: field -> sentence; what has no field stands under `form`."""
    faults: tuple[FieldError, ...] = getattr(error, "errors", ())
    found = {fault.pointer.rpartition("/")[2] or "form": fault.detail for fault in faults}
    return found or {"form": error.message}


def _sentence(made: Permitted) -> str:
    word = "denied" if made.policy.action == "deny" else "permitted"
    sentence = (
        f"{made.application.name} is {word} at {made.scope_name}: {made.policy.name}, order {made.policy.order:,}."
    )
    return f"{sentence} {made.not_sent}" if made.not_sent else sentence


def _next(request: PortalRequest, made: Permitted, event_id: str) -> str:
    """The deployment that carries it, else the event again."""
    if made.deployment is not None:
        there = there_if_any(request.organization, "agents:deployment-detail", deployment=made.deployment.id)
        if there:
            return there
    return address("audit:event-detail", request.organization, event=event_id)
