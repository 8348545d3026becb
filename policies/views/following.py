"""What one follower does with a baseline: exceptions, putting back, stopping. Under the follower's own address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from policies.baselines import exempting, lifecycle, reading
from policies.baselines.forms import KIND_CHOICES, ExceptionForm, ReviewForm
from policies.models import Baseline, BaselineException, ExceptionKind, Subscription
from portal.common.errors import NotFound, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

_WRITE = Capability.POLICY_WRITE
_METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(_METHODS)
@needs(_WRITE)
def exception_create(request: PortalRequest, subscription: UUID, source: UUID) -> HttpResponse:
    """Have one policy of the baseline otherwise here, with a reason and a review date."""
    found = _own(request, subscription)
    item = exempting.item_of(request.reach, found, source)
    form = ExceptionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = exempting.make_exception(request.reach, found.id, source, **form.cleaned_data)
            return redirect(_after_making(request, found, made))
        except PortalError as error:
            put_errors(form, error)
    context: dict[str, Any] = {
        "form": form,
        "subscription": found,
        "item": item,
        "kinds": KIND_CHOICES,
        "kind": form["kind"].value(),
        "back": _back(request, found.baseline, "drift"),
    }
    return respond(request, "policies/baseline_exception.html", context, status=422 if form.errors else 200)


@require_http_methods(_METHODS)
@needs(_WRITE)
def exception_accept(request: PortalRequest, exception: UUID) -> HttpResponse:
    """Look at an exception again: keep it as it is now, until another day."""
    found = _own_exception(request, exception)
    form = ReviewForm(request.POST or None, initial={"reason": found.reason})
    if request.method == "POST" and form.is_valid():
        try:
            exempting.accept(request.reach, found.id, **form.cleaned_data)
            return redirect(_back(request, found.subscription.baseline, "exceptions"))
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "exception": found, "back": _back(request, found.subscription.baseline, "exceptions")}
    return respond(request, "policies/baseline_review.html", context, status=422 if form.errors else 200)


@require_POST
@needs(_WRITE)
def exception_end(request: PortalRequest, exception: UUID) -> HttpResponse:
    """End an exception: the baseline's version is back."""
    found = _own_exception(request, exception)
    exempting.end_exception(request.reach, found.id, note=request.POST.get("note", ""))
    return redirect(_back(request, found.subscription.baseline, "exceptions"))


@require_POST
@needs(_WRITE)
def following_put_back(request: PortalRequest, subscription: UUID, source: UUID) -> HttpResponse:
    """Put one policy back to what the baseline, or the exception, says."""
    found = _own(request, subscription)
    exempting.put_back(request.reach, found.id, [source])
    return redirect(_back(request, found.baseline, "drift"))


@require_http_methods(_METHODS)
@needs(_WRITE)
def following_stop(request: PortalRequest, subscription: UUID) -> HttpResponse:
    """Stop following: the policies stay as own ones, or go."""
    found = _own(request, subscription)
    if request.method == "POST":
        back = _back(request, found.baseline, "customers")
        keep = request.POST.get("keep") != "no"
        lifecycle.stop_following(request.reach, found.id, keep=keep)
        sees_home = request.reach.sees(found.baseline.organization_id)
        return redirect(back if sees_home else address("policies:baseline-list", request.organization))
    context = {"subscription": found, "back": _back(request, found.baseline, "customers")}
    return respond(request, "policies/baseline_stop.html", context)


def _own(request: PortalRequest, subscription: UUID) -> Subscription:
    found = reading.subscription(request.reach, subscription)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def _own_exception(request: PortalRequest, exception: UUID) -> BaselineException:
    found = reading.exception(request.reach, exception)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def _after_making(request: PortalRequest, subscription: Subscription, made: BaselineException) -> str:
    """What is to be changed here is changed next; what is left out is done."""
    policy = exempting.policy_of(request.reach, made)
    if made.kind == ExceptionKind.CHANGED and policy is not None:
        return address("policies:policy-edit", request.organization, policy=policy.id)
    return _back(request, subscription.baseline, "drift")


def _back(request: PortalRequest, baseline: Baseline, tab: str) -> str:
    """The baseline's page: at home when that can be seen, else as the follower sees it."""
    home = baseline.organization if request.reach.sees(baseline.organization_id) else request.organization
    return address("policies:baseline-detail", home, baseline=baseline.id) + f"?tab={tab}"
