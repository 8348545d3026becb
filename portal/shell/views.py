"""The frame's own screens and fragments."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal.common.errors import NotFound
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.moments import zone_of
from portal.common.templatetags.portcullis import address
from portal.shell import charts, recent
from portal.shell import dashboard as numbers
from portal.shell import palette as finding
from portal.shell import vitals as wellbeing
from portal.shell.frame import Frame
from portal.shell.switching import same_screen
from portal.tenants import queries
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization


@require_safe
@needs(Capability.ORGANIZATION_READ, everywhere=True)
def home(request: PortalRequest) -> HttpResponse:
    """Where somebody starts: everything, or the one organization in reach."""
    own = list(queries.organizations(request.reach)[:2])
    if len(own) == 1:
        return redirect("shell:dashboard", organization=own[0].slug)
    return redirect("shell-all:dashboard")


@require_safe
@needs(Capability.ORGANIZATION_READ, everywhere=True)
def dashboard(request: PortalRequest) -> HttpResponse:
    organization = request.organization
    context = {
        "cards": numbers.cards(request.reach, organization),
        "rows": [] if organization else numbers.organization_rows(request.reach),
        "columns": [] if organization else numbers.columns(request.reach),
        "waiting": recent.waiting(request.reach, organization),
        "doings": recent.doings(request.reach, organization),
        "groups": queries.groups(request.reach, organization.id) if organization else (),
    }
    return respond(request, "shell/dashboard.html", context, fragments={"organizations", "waiting"})


@require_safe
@needs(Capability.ORGANIZATION_READ, everywhere=True)
def card(request: PortalRequest, name: str) -> HttpResponse:
    """One card, loaded on its own: a slow or failing source holds up nobody else."""
    found = numbers.card(request.reach, request.organization, name)
    if found is None:
        raise NotFound
    template = "shell/card.html#card" if request.htmx else "shell/card.html"
    return respond(request, template, {"card": found})


@require_safe
@needs(Capability.AUDIT_READ, everywhere=True)
def denies(request: PortalRequest) -> HttpResponse:
    """The chart, loaded on its own because it asks the most; as a page it is the dashboard."""
    if not request.htmx:
        return redirect(address("shell:dashboard", request.organization))
    chart = charts.denies(request.reach, request.organization, zone_of({"request": request}))
    return respond(request, "shell/denies.html", {"chart": chart})


@require_safe
@needs(Capability.ORGANIZATION_READ, everywhere=True)
def palette(request: PortalRequest) -> HttpResponse:
    """Hits for the palette (htmx) or, without a script, a page with the same search."""
    slug, text = request.GET.get("organization", ""), request.GET.get("q", "")
    request.organization = queries.organization(request.reach, slug) if slug else None
    found = finding.answer(Frame(request), request.reach, request.organization, text)
    return respond(request, "shell/palette.html", {"found": found, "q": text}, fragments={"palette-hits"})


@require_safe
@needs(Capability.ORGANIZATION_READ, everywhere=True)
def switcher(request: PortalRequest) -> HttpResponse:
    """The organizations in reach, each with the address of the screen one is on."""
    at = request.GET.get("from", "/all/")
    chosen: list[tuple[Organization, str]] = [
        (organization, same_screen(at, organization)) for organization in queries.organizations(request.reach)
    ]
    context = {"chosen": chosen, "everywhere": same_screen(at, None)}
    return respond(request, "shell/switcher.html", context, fragments={"switcher-list"})


@require_safe
@needs(Capability.ORGANIZATION_READ, everywhere=True)
def health(request: PortalRequest) -> HttpResponse:
    parts = wellbeing.vitals()
    context = {"parts": parts, "worst": wellbeing.worst(parts)}
    return respond(request, "shell/health.html", context, fragments={"health-dot"})


@needs(Capability.ORGANIZATION_READ, everywhere=True)
def help_page(request: PortalRequest) -> HttpResponse:
    return render(request, "shell/help.html")
