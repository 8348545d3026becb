"""Modes on screen: put a computer or a group into one, with an end, a reason and a ticket; end it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from policies import choices, modes
from policies.forms import ModeForm
from policies.modes import ModeDraft, TargetLevel
from portal.common import clock
from portal.common.errors import NotFound, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Mode


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.MODE_WRITE)
def computer_mode(request: PortalRequest, computer: UUID) -> HttpResponse:
    """The mode of one computer."""
    found = tenants.computer(request.reach, computer)
    home = address("tenants:computer-detail", request.organization, computer=found.id)
    return _mode(request, "computer", found, home)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.MODE_WRITE)
def group_mode(request: PortalRequest, group: str) -> HttpResponse:
    """The mode of all computers of a group (its id or slug) that have none of their own."""
    found = _group(request, group)
    home = address("tenants:group-detail", request.organization, group=found.id)
    return _mode(request, "group", found, home)


def _group(request: PortalRequest, reference: str) -> ComputerGroup:
    try:
        return tenants.group(request.reach, UUID(reference))
    except ValueError:
        return tenants.group(request.reach, f"{request.organization.slug}/{reference}")


def _mode(request: PortalRequest, level: TargetLevel, target: Computer | ComputerGroup, home: str) -> HttpResponse:
    if target.organization_id != request.organization.id:
        raise NotFound
    state = modes.mode_state(request.reach, level, target.id)
    if request.method == "POST" and "end" in request.POST:
        modes.end_mode(request.reach, level, target.id)
        return redirect(home)
    applications = choices.application_choices(request.reach, request.organization)
    form = ModeForm(request.POST or None, applications=applications)
    if request.method == "POST" and form.is_valid():
        try:
            modes.set_mode(request.reach, level, target.id, draft=_draft(form.cleaned_data))
            return redirect(home)
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "target": target, "level": level, "state": state, "home": home}
    return respond(request, "policies/mode.html", context, status=422 if form.errors else 200)


def _draft(data: dict[str, Any]) -> ModeDraft:
    minutes = data["lasts"]
    return ModeDraft(
        Mode(data["mode"]),
        ends_at=clock.now() + timedelta(minutes=minutes) if minutes else None,
        application=UUID(data["application"]) if data["application"] else None,
        reason=data["reason"],
        ticket=data["ticket"],
    )
