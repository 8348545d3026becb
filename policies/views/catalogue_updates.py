"""Updates of the built-in catalogue: what waits, what it changes, whom it touches; applied or discarded by the MSP."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from policies.builtin import updates
from policies.builtin.differences import Difference, differences
from policies.builtin.feed import MOST_BYTES
from policies.builtin.files_met import files_met
from policies.builtin.impact import impact
from policies.builtin.schema import CatalogueError
from policies.models import UpdateState
from portal.common.errors import NotFound, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE
_HISTORY = 50


@require_safe
@needs(_READ, everywhere=True)
def catalogue(request: PortalRequest) -> HttpResponse:
    """What waits, what came before, and where a feed is taken in."""
    return _page(request)


def _page(request: PortalRequest, *, fault: str = "", status: int = 200) -> HttpResponse:
    rows = list(updates.updates(request.reach)[:_HISTORY])
    context = {
        "waiting": next((row for row in rows if row.state == UpdateState.WAITING), None),
        "rows": rows,
        "may_upload": updates.may_upload(request.reach),
        "fault": fault,
    }
    return respond(request, "policies/catalogue/list.html", context, status=status)


@require_POST
@needs(_WRITE, everywhere=True)
def feed_upload(request: PortalRequest) -> HttpResponse:
    """Take in a signed feed; it waits to be looked at."""
    sent = request.FILES.get("feed")
    if sent is None or sent.size is None or sent.size > MOST_BYTES:
        return _page(request, fault=f"Choose the file of a feed, {MOST_BYTES >> 20} MB at most.", status=422)
    try:
        staged = updates.take_feed(request.reach, sent.read())
    except Refused as refused:
        return _page(request, fault=refused.message, status=422)
    return redirect(address("policies:catalogue-update", None, update=staged.id))


@require_safe
@needs(_READ, everywhere=True)
def catalogue_update(request: PortalRequest, update: UUID) -> HttpResponse:
    """What one update changes, and its impact on each organization, before it is applied."""
    row = updates.update(request.reach, update)
    found, fault = _differences(request, row.id) if row.state == UpdateState.WAITING else ([], "")
    context = {
        "row": row,
        "differences": found,
        "impact": impact(request.reach, found),
        "fault": fault,
        "may_decide": row.state == UpdateState.WAITING and updates.may_decide(request.reach, row.organization_id),
    }
    return respond(request, "policies/catalogue/update.html", context)


@require_safe
@needs(_READ, everywhere=True)
def catalogue_files(request: PortalRequest, update: UUID) -> HttpResponse:
    """What was seen lately of the rules that one application of the update gains and loses."""
    row = updates.update(request.reach, update)
    found, _ = _differences(request, row.id)
    one = next((one for one in found if one.key == request.GET.get("key")), None)
    if one is None:
        raise NotFound
    part = "#met" if request.htmx else ""
    context = {"row": row, "one": one, "met": files_met(request.reach, one)}
    return respond(request, f"policies/catalogue/files.html{part}", context)


@require_POST
@needs(_WRITE, everywhere=True)
def catalogue_decide(request: PortalRequest, update: UUID) -> HttpResponse:
    """Apply or discard, by the button that was pressed."""
    if request.POST.get("decision") == "apply":
        updates.apply_update(request.reach, update)
    elif request.POST.get("decision") == "discard":
        updates.discard_update(request.reach, update)
    else:
        raise Refused("Choose whether to apply or to discard it.", pointer="/decision")
    return redirect(address("policies:catalogue-update", None, update=update))


def _differences(request: PortalRequest, update: UUID) -> tuple[list[Difference], str]:
    try:
        return differences(request.reach, updates.entries(request.reach, update)), ""
    except CatalogueError as error:
        return [], str(error)
