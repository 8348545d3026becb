"""Computer groups: list, page with the install command, create, change, delete."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.common.errors import NotFound, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants import queries
from portal.tenants.administration import groups as writes
from portal.tenants.capabilities import Capability
from portal.tenants.forms import GroupChangeForm, GroupForm
from portal.tenants.models import ComputerGroup


@require_safe
@needs(Capability.COMPUTER_READ, everywhere=True)
def group_list(request: PortalRequest) -> HttpResponse:
    organization = request.organization
    own = queries.groups(request.reach, organization.id if organization else None)
    context = {
        "groups": own,
        "global_groups": queries.global_groups_above(request.reach) if organization else (),
        "may_create": bool(organization) and request.reach.can(Capability.COMPUTER_WRITE, organization.id),
    }
    return respond(request, "tenants/groups.html", context, fragments={"group-table"})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.COMPUTER_WRITE)
def group_create(request: PortalRequest) -> HttpResponse:
    organization = request.organization
    globally = request.reach.can(Capability.GLOBAL_WRITE, organization.id)
    form = GroupForm(request.POST or None, may_act_globally=globally)
    if request.method == "POST" and form.is_valid():
        try:
            made = writes.create_group(request.reach, organization_id=organization.id, **form.cleaned_data)
            return redirect("tenants:group-detail", organization=organization.slug, group=made.id)
        except PortalError as error:
            put_errors(form, error)
    return respond(request, "tenants/group_form.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@needs(Capability.COMPUTER_READ)
def group_detail(request: PortalRequest, group: str) -> HttpResponse:
    found = _own_group(request, group)
    held = queries.computers_held_by(request.reach, found)
    context = {
        "group": found,
        "computers": held[:50],
        "computer_count": held.count(),
        "may_write": _may_write(request, found),
    }
    return respond(request, "tenants/group.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.COMPUTER_WRITE)
def group_edit(request: PortalRequest, group: str) -> HttpResponse:
    found = _own_group(request, group)
    names = ("name", "slug", "initial_learning_days", "name_prefix")
    now = {name: getattr(found, name) for name in names}
    form = GroupChangeForm(request.POST or None, initial=now, is_global=found.is_global)
    if request.method == "POST" and form.is_valid():
        try:
            writes.change_group(request.reach, found.id, **form.cleaned_data)
            return redirect("tenants:group-detail", organization=request.organization.slug, group=found.id)
        except PortalError as error:
            put_errors(form, error)
    context: dict[str, Any] = {"form": form, "group": found}
    return respond(request, "tenants/group_form.html", context, status=422 if form.errors else 200)


@require_POST
@needs(Capability.COMPUTER_WRITE)
def group_delete(request: PortalRequest, group: str) -> HttpResponse:
    writes.delete_group(request.reach, _own_group(request, group).id)
    return redirect("tenants:group-list", organization=request.organization.slug)


def _own_group(request: PortalRequest, group: str) -> ComputerGroup:
    """The group of the organization in the address; a group of another one is not found under it."""
    found = queries.group(request.reach, group)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def _may_write(request: PortalRequest, group: ComputerGroup) -> bool:
    needed = Capability.GLOBAL_WRITE if group.is_global else Capability.COMPUTER_WRITE
    may: bool = request.reach.can(needed, group.organization_id)
    return may
