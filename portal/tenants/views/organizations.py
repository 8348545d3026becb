"""The tree of organizations: list, create, change, delete."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.common.errors import PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants import queries, tree
from portal.tenants.administration import organizations as writes
from portal.tenants.capabilities import Capability
from portal.tenants.forms import OrganizationForm


@require_safe
@needs(Capability.ORGANIZATION_READ, everywhere=True)
def organization_list(request: PortalRequest) -> HttpResponse:
    context = {
        "rows": tree.organization_rows(request.reach),
        "columns": tree.columns(request.reach),
        "may_create": request.reach.can_anywhere(Capability.ORGANIZATION_WRITE),
    }
    return respond(request, "tenants/organizations.html", context, fragments={"organization-table"})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.ORGANIZATION_WRITE, everywhere=True)
def organization_create(request: PortalRequest) -> HttpResponse:
    form = OrganizationForm(request.POST or None, parents=_parents(request))
    if request.method == "POST" and form.is_valid():
        wanted = dict(form.cleaned_data)
        parent = queries.organization(request.reach, wanted.pop("parent"))
        try:
            made = writes.create_organization(request.reach, parent_id=parent.id, **wanted)
            return redirect("shell:dashboard", organization=made.slug)
        except PortalError as error:
            put_errors(form, error)
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.ORGANIZATION_WRITE)
def organization_edit(request: PortalRequest) -> HttpResponse:
    found = request.organization
    now = {name: getattr(found, name) for name in ("name", "slug", "time_zone", "color")}
    form = OrganizationForm(request.POST or None, initial=now, parents=[])
    if request.method == "POST" and form.is_valid():
        wanted = {name: value for name, value in form.cleaned_data.items() if value}
        try:
            changed = writes.change_organization(request.reach, found.id, **wanted)
            return redirect("tenants:organization-edit", organization=changed.slug)
        except PortalError as error:
            put_errors(form, error)
    return _form(request, form, found)


@require_POST
@needs(Capability.ORGANIZATION_WRITE)
def organization_delete(request: PortalRequest) -> HttpResponse:
    writes.delete_organization(request.reach, request.organization.id)
    return redirect("tenants-all:organization-list")


def _parents(request: PortalRequest) -> list[tuple[str, str]]:
    may = request.reach.with_capability(Capability.ORGANIZATION_WRITE)
    return [(str(o.id), o.name) for o in tree.in_order(request.reach) if o.id in may]


def _form(request: PortalRequest, form: OrganizationForm, found: Any) -> HttpResponse:
    context = {"form": form, "found": found}
    return respond(request, "tenants/organization_form.html", context, status=422 if form.errors else 200)
