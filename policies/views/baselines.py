"""Baselines on screen: the list, one baseline and its tabs, carrying it to who follows."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from policies.baselines import drift, lifecycle, origins, previewing, publishing, reading
from policies.baselines.forms import BaselineForm, CarryForm, FollowForm
from policies.baselines.lifecycle import Place
from policies.models import Baseline
from portal.common.csv_text import csv_lines
from portal.common.errors import NotFound, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.common.uuid7 import is_uuid
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.POLICY_READ, Capability.POLICY_WRITE
_METHODS = ["GET", "HEAD", "POST"]
_TABS = ("policies", "customers", "drift", "exceptions")
_CHANGED = ("changes-made", "policies-changed")


@require_safe
@needs(_READ, everywhere=True)
def baseline_list(request: PortalRequest) -> HttpResponse:
    """The baselines that an organization has or follows; those of all under /all/."""
    organization = request.organization
    slug = organization.slug if organization else ""
    found = list(reading.baselines_listed(request.reach, organization=slug))
    following = reading.subscriptions(request.reach).filter(organization_id=organization.id) if organization else ()
    context = {
        "baselines": [b for b in found if not organization or b.organization_id == organization.id],
        "following": following,
        "origins": origins.origins(request.reach, organization) if following else (),
        "due": reading.due_exceptions(request.reach, organization.id if organization else None),
        "may_write": bool(organization) and request.reach.can(_WRITE, organization.id),
    }
    return respond(request, "policies/baselines.html", context)


@require_http_methods(_METHODS)
@needs(_WRITE)
def baseline_create(request: PortalRequest) -> HttpResponse:
    """A new baseline with an empty template."""
    form = BaselineForm(request.POST or None, is_new=True)
    if request.method == "POST" and form.is_valid():
        try:
            made = lifecycle.create_baseline(
                request.reach, organization_id=request.organization.id, **form.cleaned_data
            )
            return redirect(address("policies:baseline-detail", request.organization, baseline=made.id))
        except PortalError as error:
            put_errors(form, error)
    return respond(request, "policies/baseline_form.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(_METHODS)
@needs(_WRITE)
def baseline_edit(request: PortalRequest, baseline: UUID) -> HttpResponse:
    """Change what a baseline is called and where it is followed."""
    found = own_baseline(request, baseline)
    now = {name: getattr(found, name) for name in ("name", "description", "group_name", "new_customers")}
    form = BaselineForm(request.POST or None, is_new=False, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            lifecycle.change_baseline(request.reach, found.id, **form.cleaned_data)
            return redirect(address("policies:baseline-detail", request.organization, baseline=found.id))
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "baseline": found}
    return respond(request, "policies/baseline_form.html", context, status=422 if form.errors else 200)


@require_POST
@needs(_WRITE)
def baseline_delete(request: PortalRequest, baseline: UUID) -> HttpResponse:
    """Delete a baseline that nobody follows."""
    lifecycle.delete_baseline(request.reach, own_baseline(request, baseline).id)
    return redirect(address("policies:baseline-list", request.organization))


@require_safe
@needs(_READ)
def baseline_detail(request: PortalRequest, baseline: UUID) -> HttpResponse:
    """One baseline: its policies, who follows, drift, exceptions. A follower sees its own part."""
    found = _seen(request, baseline)
    tab = request.GET.get("tab", "policies")
    if tab not in _TABS:
        raise NotFound
    state = request.GET.get("state", "")
    subscriptions = reading.subscriptions(request.reach, baseline_id=found.id)
    is_home = found.organization_id == request.organization.id
    if not is_home:
        subscriptions = subscriptions.filter(organization_id=request.organization.id)
    shown = drift.drift(request.reach, found, subscriptions=subscriptions, state=state if tab == "drift" else "")
    exceptions = reading.exceptions(request.reach).filter(subscription__in=subscriptions)
    context: dict[str, Any] = {
        "baseline": found,
        "tab": tab,
        "tabs": _tabs(request, found, shown, exceptions.count()),
        "drift": shown,
        "outside": [(line, cell) for line in shown.lines for cell in line.cells if cell.state not in drift.QUIET],
        "state": state,
        "states": drift.STATES,
        "exceptions": exceptions,
        "versions": reading.versions(request.reach, found.id)[:20],
        "today": reading.today(),
        "waiting": reading.waiting(request.reach, found.id).count(),
        "is_home": is_home,
        "may_write": is_home and request.reach.can(_WRITE, request.organization.id),
        "may_except": request.reach.with_capability(_WRITE) or request.reach.everything,
    }
    return respond(request, "policies/baseline.html", context, fragments={"baseline-customers"})


@require_http_methods(_METHODS)
@needs(_WRITE)
def baseline_carry(request: PortalRequest, baseline: UUID) -> HttpResponse:
    """See at each follower what the template's present state would do there; then publish and carry it."""
    found = own_baseline(request, baseline)
    form = CarryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = [UUID(text) for text in request.POST.getlist("subscription") if is_uuid(text)]
        carried = publishing.carry(
            request.reach, found.id, note=form.cleaned_data["note"], subscription_ids=chosen if chosen else None
        )
        return respond(request, "policies/baseline_carried.html", {"carried": carried}, events=_CHANGED)
    context = {"baseline": found, "preview": previewing.preview(request.reach, found), "form": form}
    return respond(request, "policies/baseline_carry.html", context, status=422 if form.errors else 200)


@require_http_methods(_METHODS)
@needs(_WRITE)
def baseline_follow(request: PortalRequest, baseline: UUID) -> HttpResponse:
    """Choose which organizations follow from now on; see what that does there; let them follow."""
    found = own_baseline(request, baseline)
    offered = lifecycle.candidates(request.reach, found)
    choices = [
        (f"{organization.id}:{group.id if group else ''}", f"{organization.name}{f', {group.name}' if group else ''}")
        for organization, group, why in offered
        if not why
    ]
    form = FollowForm(request.POST or None, followers=choices)
    if request.method == "POST" and form.is_valid():
        places = [_place(text) for text in form.cleaned_data["followers"]]
        if "sure" not in request.POST:
            seen = previewing.preview_following(request.reach, found, places)
            chosen = form.cleaned_data["followers"]
            return respond(
                request, "policies/baseline_carry.html", {"baseline": found, "preview": seen, "followers": chosen}
            )
        try:
            carried = lifecycle.follow(request.reach, found.id, places=places)
            return respond(request, "policies/baseline_carried.html", {"carried": carried}, events=_CHANGED)
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "baseline": found, "unfit": [(o, why) for o, _, why in offered if why]}
    return respond(request, "policies/baseline_follow.html", context, status=422 if form.errors else 200)


@require_safe
@needs(_READ)
def baseline_export(request: PortalRequest, baseline: UUID) -> HttpResponse:
    """The drift view as CSV."""
    found = _seen(request, baseline)
    subscriptions = reading.subscriptions(request.reach, baseline_id=found.id)
    if found.organization_id != request.organization.id:
        subscriptions = subscriptions.filter(organization_id=request.organization.id)
    shown = drift.drift(request.reach, found, subscriptions=subscriptions, state=request.GET.get("state", ""))
    lines = list(csv_lines(drift.COLUMNS, drift.exported(request.reach, shown, request.organization)))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="baseline-drift.csv"'
    return cast(HttpResponse, answer)


def own_baseline(request: PortalRequest, baseline: UUID) -> Baseline:
    """The baseline of the organization in the address; one of another organization is not found under it."""
    found = reading.baseline(request.reach, baseline)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def _seen(request: PortalRequest, baseline: UUID) -> Baseline:
    """The baseline that the organization in the address has or follows."""
    return reading.baseline_of(request.reach, baseline, request.organization.id)


def _tabs(request: PortalRequest, found: Baseline, shown: drift.Drift, exceptions: int) -> list[tuple[Any, ...]]:
    there = address("policies:baseline-detail", request.organization, baseline=found.id)
    return [
        ("policies", "Policies", f"{there}?tab=policies", len(shown.columns)),
        ("customers", "Customers", f"{there}?tab=customers", len(shown.lines)),
        ("drift", "Drift", f"{there}?tab=drift", shown.amiss),
        ("exceptions", "Exceptions", f"{there}?tab=exceptions", exceptions),
    ]


def _place(text: str) -> Place:
    organization, _, group = text.partition(":")
    return Place(UUID(organization), UUID(group) if group else None)
