"""Computers: find one, see its truth, move or forget it."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.common import registry
from portal.common.errors import NotFound, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import keyset
from portal.tenants import queries
from portal.tenants.administration import computers as writes
from portal.tenants.capabilities import Capability
from portal.tenants.delivery import deliveries
from portal.tenants.facets import computer_facets
from portal.tenants.forms import ComputerFilter, MoveForm
from portal.tenants.models import Computer
from portal.tenants.searches import computers_matching


@require_safe
@needs(Capability.COMPUTER_READ, everywhere=True)
def computer_list(request: PortalRequest) -> HttpResponse:
    asked = ComputerFilter(request.GET).asked()
    here = {**asked, **({"organization": request.organization.slug} if request.organization else {})}
    page = keyset(computers_matching(request.reach, **here), order=("name", "id"), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "deliveries": deliveries(request.reach, page.rows),
        "asked": asked,
        "total": computers_matching(request.reach, **here).count(),
        "facets": computer_facets(request.reach, here),
    }
    return respond(request, "tenants/computers.html", context, fragments={"computer-table", "rows"})


@require_safe
@needs(Capability.COMPUTER_READ)
def computer_detail(request: PortalRequest, computer: str) -> HttpResponse:
    found = _own_computer(request, computer)
    context = {
        "computer": found,
        "delivery": deliveries(request.reach, [found]).get(found.id),
        "panels": [show(request.reach, found) for show in registry.computer_panels],
        "may_write": request.reach.can(Capability.COMPUTER_WRITE, found.organization_id),
    }
    return respond(request, "tenants/computer.html", context, fragments={"drawer"})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.COMPUTER_WRITE)
def computer_move(request: PortalRequest, computer: str) -> HttpResponse:
    found = _own_computer(request, computer)
    others = queries.groups(request.reach, found.organization_id).filter(
        os=found.os, is_global=False, is_template=False
    )
    choices = [(str(group.id), group.name) for group in others]
    form = MoveForm(request.POST or None, initial={"group": str(found.group_id)}, groups=choices)
    if request.method == "POST" and form.is_valid():
        try:
            group = queries.group(request.reach, form.cleaned_data["group"])
            writes.move_computer(request.reach, found.id, group_id=group.id)
            return redirect("tenants:computer-detail", organization=request.organization.slug, computer=found.id)
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "computer": found}
    return respond(request, "tenants/computer_move.html", context, status=422 if form.errors else 200)


@require_POST
@needs(Capability.COMPUTER_WRITE)
def computer_delete(request: PortalRequest, computer: str) -> HttpResponse:
    writes.delete_computer(request.reach, _own_computer(request, computer).id)
    return redirect("tenants:computer-list", organization=request.organization.slug)


def _own_computer(request: PortalRequest, computer: str) -> Computer:
    found = queries.computer(request.reach, computer)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found
