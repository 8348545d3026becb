"""The arm switch on screen: on for a while, off now, and where that was sent."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from policies import arming
from policies.arm_form import ArmForm
from policies.arming import Sent
from policies.models import Policy
from policies.rows import may_write
from policies.views.policies import list_address, own_policy
from portal.common import clock
from portal.common.errors import Forbidden, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_arm(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Turn a disabled policy on for a while, after saying what that means."""
    found = own_policy(request, policy)
    form = ArmForm(request.POST or None, zone=request.organization.time_zone)
    if request.method == "POST" and form.is_valid():
        try:
            until = arming.read_until(form.end(), request.organization.time_zone, clock.now())
            sent = arming.arm_and_send(request.reach, found.id, until=until, deploy=form.cleaned_data["deploy"])
            return _done(request, sent, f"{found.name} is armed.")
        except PortalError as error:
            put_errors(form, error)
    return _ask(request, "policies/arm.html", found, form=form, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_disarm(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Turn an armed policy off now."""
    found = own_policy(request, policy)
    if request.method == "POST":
        sent = arming.disarm_and_send(request.reach, found.id, deploy=request.POST.get("deploy", "on") == "on")
        return _done(request, sent, f"{found.name} is off.")
    return _ask(request, "policies/disarm.html", found)


def _ask(request: PortalRequest, template: str, policy: Policy, *, status: int = 200, **more: Any) -> HttpResponse:
    if not may_write(request.reach, policy):
        raise Forbidden(Capability.GLOBAL_WRITE)
    context = {
        "policy": policy,
        "back": list_address(request),
        "along": arming.going_along(request.reach, policy),
        "may_deploy": request.reach.can(Capability.DEPLOYMENT_WRITE, policy.organization_id),
        **more,
    }
    return respond(request, template, context, fragments={"dialog"}, status=status)


def _done(request: PortalRequest, sent: Sent, said: str) -> HttpResponse:
    """What happened, as a message beside the list; without scripts the deployment's page, or the list."""
    there = ""
    if sent.deployment is not None:
        there = address("agents:deployment-detail", request.organization, deployment=sent.deployment.id)
    if not request.htmx:
        return redirect(there or list_address(request))
    toast: dict[str, Any] = {"text": f"{said} {_told(sent)}"}
    if there:
        toast |= {"href": there, "linkText": "Deployment"}
    # On the policy's own page only its chip changes: what is typed there stays.
    answer = render(request, "policies/arm_actions.html", {"policy": sent.policy, "is_swapped": True})
    events = {"toast": toast, "dialog-done": {}, "changes-made": {}, "policies-changed": {}, "deployment-started": {}}
    answer["HX-Trigger"] = json.dumps(events)
    listed = _listed(request)
    if listed:
        answer["HX-Location"] = json.dumps({"path": listed, "target": "#policy-table", "swap": "outerHTML"})
    return answer


def _told(sent: Sent) -> str:
    if sent.deployment is not None:
        return f"Sent to {sent.deployment.target_name}."
    return f"Not sent yet: {sent.why_not}" if sent.why_not else "It waits as a pending change."


def _listed(request: PortalRequest) -> str:
    """The list as it is on the screen; empty when something else is."""
    current = request.htmx.current_url_abs_path or ""
    is_list = current.partition("?")[0] == address("policies:policy-list", request.organization)
    return current if is_list else ""
