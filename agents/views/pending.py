"""The pending bar of every page, the review sheet, and the press of *Deploy Policies*."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from agents import deploy, pending
from agents.forms import DeployForm
from portal.common.errors import Conflict, Invalid, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def pending_bar(request: PortalRequest) -> HttpResponse:
    """The inside of the bar; nothing at all when nothing waits."""
    bar = pending.bar(request.reach, request.organization)
    context = {"bar": bar, "may_deploy": _may_deploy(request)}
    response = render(request, "agents/pending_bar.html", context)
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ("HX-Request", "HX-Target"))
    return response


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def review(request: PortalRequest) -> HttpResponse:
    """What will change, and where it can be sent."""
    return _sheet(request)


@require_safe
@needs(Capability.DEPLOYMENT_WRITE, everywhere=True)
def lockouts(request: PortalRequest) -> HttpResponse:
    """What deploying to `scope` (`level:target id`) would newly stop that nobody may lose; empty when nothing."""
    level, _, target = request.GET.get("scope", "").partition(":")
    found = deploy.would_lock_out(request.reach, level=level, target_id=target)
    part = "#found" if request.htmx else ""
    return respond(request, f"agents/lockouts.html{part}", {"lockouts": found, "scope": f"{level}:{target}"})


@needs(Capability.DEPLOYMENT_WRITE, everywhere=True)
def deployment_start(request: PortalRequest) -> HttpResponse:
    """Start it and go to its page. What may be pressed where is for the activity to say."""
    if request.method != "POST":
        return redirect(address("agents:pending", request.organization))
    form = DeployForm(request.POST)
    if not form.is_valid():
        return _sheet(request, fault="Choose where to deploy to.", status=422)
    if request.organization is not None and form.cleaned_data["organization"] not in ("", request.organization.slug):
        raise Conflict("This form belongs to another organization. Open the page again; nothing was sent.")
    level, target = form.scope()
    if level == "global" and not _is_meant(request, form.cleaned_data["typed"]):
        return _sheet(request, fault="Type the number of computers to deploy to all of them.", status=422)
    try:
        deployment = deploy.start_deployment(
            request.reach,
            level=level,
            target_id=target,
            note=form.cleaned_data["note"],
            override=form.cleaned_data["override"],
        )
    except Refused as refused:
        asks = form.cleaned_data["scope_value"] if refused.code == "lock_out" else ""
        return _sheet(request, fault=refused.message, status=422, asks_override=asks)
    except Invalid as invalid:
        return _sheet(request, fault=invalid.message, status=422)
    answer = redirect(address("agents:deployment-detail", request.organization, deployment=deployment.id))
    answer["HX-Trigger"] = "deployment-started"
    return answer


def _sheet(request: PortalRequest, *, fault: str = "", status: int = 200, asks_override: str = "") -> HttpResponse:
    organization = request.organization
    context = {
        "changes": pending.listed_changes(request.reach, organization),
        "offers": pending.offers(request.reach, organization) if organization else [],
        "everything": None if organization else pending.global_offer(request.reach),
        "bar": pending.bar(request.reach, organization),
        "may_deploy": _may_deploy(request),
        "fault": fault,
        "asks_override": asks_override,
        "most": pending.MOST_CHANGES,
    }
    return respond(request, "agents/pending.html", context, status=status)


def _is_meant(request: PortalRequest, typed: str) -> bool:
    offer = pending.global_offer(request.reach)
    return offer is not None and typed.replace(",", "").strip() == str(offer.computers)


def _may_deploy(request: PortalRequest) -> bool:
    if request.organization is None:
        return bool(request.reach.can_anywhere(Capability.DEPLOYMENT_WRITE))
    return bool(request.reach.can(Capability.DEPLOYMENT_WRITE, request.organization.id))
