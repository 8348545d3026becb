"""Deployments: the list, one with its computers, its progress while it rolls, cancel and roll back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from agents import deploy, queries, sweep, verdicts
from agents.forms import RollbackForm
from agents.models import Deployment, DeploymentTarget
from agents.models.deployments import DeploymentState
from portal.common.errors import Invalid, PortalError, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import Page, keyset
from portal.common.templatetags import moments
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

STOP_POLLING = 286


@dataclass(frozen=True, slots=True)
class ComputerRow:
    """One line of the computers' table."""

    target: DeploymentTarget
    chip: verdicts.Chip


@require_safe
@needs(Capability.DEPLOYMENT_READ, everywhere=True)
def deployment_list(request: PortalRequest) -> HttpResponse:
    sweep.nudge()
    page = queries.listed_deployments(request.reach, request.organization, after=request.GET.get("after", ""))
    context = {"page": page, "silent": sweep.silent_seconds()}
    swapped = request.htmx and request.htmx.target == "rows"
    return respond(request, "agents/deployments.html", {**context, "swapped": swapped}, fragments={"rows"})


@require_safe
@needs(Capability.DEPLOYMENT_READ, everywhere=True)
def deployment_detail(request: PortalRequest, deployment: UUID) -> HttpResponse:
    """The page, its progress while somebody watches (`#progress`), or more of its computers (`#rows`).

    While nothing has changed since `seen`, a poll is answered with 204 and the page keeps what it shows. At the
    end the poll is told to stop.
    """
    sweep.nudge()
    found = queries.deployment(request.reach, deployment)
    context = _context(request, found)
    polls = bool(request.htmx) and request.htmx.target == "progress"
    is_over = found.state != DeploymentState.ROLLING
    if polls and not is_over and request.GET.get("seen") == context["seen"]:
        return HttpResponse(status=204)
    status = STOP_POLLING if polls and is_over else 200
    return respond(request, "agents/deployment.html", context, fragments={"progress", "rows"}, status=status)


@needs(Capability.DEPLOYMENT_WRITE, everywhere=True)
def deployment_cancel(request: PortalRequest, deployment: UUID) -> HttpResponse:
    return _act(request, deployment, lambda: deploy.cancel_deployment(request.reach, deployment))


@needs(Capability.DEPLOYMENT_WRITE, everywhere=True)
def deployment_rollback(request: PortalRequest, deployment: UUID) -> HttpResponse:
    form = RollbackForm(request.POST)
    note = form.cleaned_data["note"] if form.is_valid() else ""
    return _act(request, deployment, lambda: deploy.roll_back_deployment(request.reach, deployment, note=note))


def _act(request: PortalRequest, deployment_id: UUID, activity: Any) -> HttpResponse:
    """Do it on POST and show the deployment that came of it; a refusal is told on the page."""
    here = address("agents:deployment-detail", request.organization, deployment=deployment_id)
    if request.method != "POST":
        return redirect(here)
    try:
        done: Deployment = activity()
    except (Refused, Invalid) as refused:
        return _refused(request, deployment_id, refused)
    answer = redirect(address("agents:deployment-detail", request.organization, deployment=done.id))
    answer["HX-Trigger"] = "deployment-changed"
    return answer


def _refused(request: PortalRequest, deployment_id: UUID, error: PortalError) -> HttpResponse:
    context = _context(request, queries.deployment(request.reach, deployment_id))
    return respond(request, "agents/deployment.html", {**context, "fault": error.message}, status=422)


def _context(request: PortalRequest, found: Deployment) -> dict[str, Any]:
    progress = queries.progress(request.reach, found.id)
    chosen = request.GET.get("show", "")
    rows = queries.targets(request.reach, found.id, states=queries.FILTERS.get(chosen))
    page = keyset(rows, order=queries.BY_ATTENTION, after=request.GET.get("after", ""))
    listed = Page(_rows(request, page.rows), page.next, page.previous)
    may_write = request.reach.can(Capability.DEPLOYMENT_WRITE, found.organization_id)
    is_rolling = found.state == DeploymentState.ROLLING
    return {
        "deployment": found,
        "progress": progress,
        "verdict": verdicts.verdict(found, progress),
        "page": listed,
        "show": chosen if chosen in queries.FILTERS else "",
        "tabs": _tabs(request, progress),
        "seen": _digest(found, page.rows, progress),
        "is_rolling": is_rolling,
        "may_cancel": may_write and is_rolling and found.cancelled_at is None,
        "may_roll_back": may_write and not is_rolling and found.restores_id is None and progress.live > 0,
        "silent": sweep.silent_seconds(),
        "swapped": bool(request.htmx) and request.htmx.target == "rows",
        "has_ended_meanwhile": bool(request.htmx) and request.htmx.target == "progress" and not is_rolling,
    }


def _tabs(request: PortalRequest, progress: queries.Progress) -> list[tuple[str, str, str, int]]:
    """(key, label, address, count) of each way to look at the computers; ways without a computer are left out."""
    counted = (
        ("", "All", progress.total),
        ("not-live", "Not live", progress.not_live),
        ("refused", "Refused", progress.refused),
        ("unreachable", "Unreachable", progress.unreachable),
        ("live", "Live", progress.live),
    )
    return [
        (key, label, f"{request.path}?show={key}" if key else request.path, count)
        for key, label, count in counted
        if count or not key
    ]


def _rows(request: PortalRequest, targets: Iterable[DeploymentTarget]) -> list[ComputerRow]:
    zone = moments.zone_of({"request": request})
    return [
        ComputerRow(t, verdicts.chip(t, moments.smart(t.finished_at, zone) if t.finished_at else "")) for t in targets
    ]


def _digest(found: Deployment, targets: Iterable[DeploymentTarget], progress: queries.Progress) -> str:
    """Changes whenever anything on the page does."""
    text = f"{found.state}{found.cancelled_at}{sorted(progress.counts.items())}"
    text += "".join(f"{t.id}{t.state}{t.attempt}{t.offered_at}" for t in targets)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
