"""Steps that can be taken back: offered after a write, listed for later, undone by one button."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from policies import undoing
from policies.models import UndoStep
from portal.common.errors import Conflict, PortalError
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

_RECENT = 20


def offer(response: HttpResponse, step: UndoStep | None) -> HttpResponse:
    """Add to an htmx answer that `step` can be undone: the page shows a message with the button."""
    if step is None:
        return response
    told = response.headers.get("HX-Trigger", "")
    events = json.loads(told) if told.startswith("{") else {name.strip(): {} for name in told.split(",") if name}
    href = address("policies:undo", step.organization, step=step.id)
    response["HX-Trigger"] = json.dumps({**events, "undo-offered": {"summary": step.summary, "href": href}})
    return response


@require_safe
@needs(Capability.POLICY_READ)
def undo_list(request: PortalRequest) -> HttpResponse:
    """The recent steps of this organization, newest first, each with its button as long as it can be undone."""
    steps = undoing.undo_steps(request.reach, request.organization.id)[:_RECENT]
    may_write = request.reach.can(Capability.POLICY_WRITE, request.organization.id)
    return respond(request, "policies/undo.html", {"steps": steps, "may_write": may_write}, fragments={"dialog"})


@require_POST
@needs(Capability.POLICY_WRITE)
def undo(request: PortalRequest, step: UUID) -> HttpResponse:
    """Take one step back, or say why it cannot be. Without htmx: on to the steps, which tell that it was undone."""
    found = undoing.undo_step(request.reach, step)
    try:
        if found.organization_id != request.organization.id:
            raise Conflict("This step belongs to another organization; undo it there.")
        undone = undoing.undo(request.reach, found.id)
    except PortalError as error:
        if not request.htmx:
            raise
        return _announced({"toast": {"text": error.message, "bad": True}, "dialog-done": {}}, error.status)
    if not request.htmx:
        return redirect(address("policies:undo-list", request.organization))
    toast = {"text": f"Undone: {undone.summary}"}
    return _announced(
        {"toast": toast, "dialog-done": {}, "changes-made": {}, "policies-changed": {}, "step-undone": {}}
    )


def _announced(events: dict[str, object], status: int = 200) -> HttpResponse:
    answer = HttpResponse(status=status)
    answer["HX-Trigger"] = json.dumps(events)
    return answer
