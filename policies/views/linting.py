"""The lint page: findings with their reasons, mended by a press, accepted for a while, exported."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django import forms
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from policies import linting
from policies.engine.lint import CODES
from policies.linting import listing, suggesting
from policies.linting.finding import Finding
from policies.linting.listing import Terms
from policies.linting.remedies import MOST_AT_ONCE
from policies.views.undo import offer
from portal.common import clock
from portal.common.errors import NotFound, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_FRAGMENTS = frozenset({"findings"})
_CHANGED = ("changes-made", "policies-changed", "rules-changed")
_REVIEW_DAYS = 90


class AcceptForm(forms.Form):
    """Why a finding is lived with, and until when."""

    reason = forms.CharField(label="Why is this all right?", max_length=500, widget=forms.Textarea(attrs={"rows": 3}))
    review_on = forms.DateField(label="Look at it again on", widget=forms.DateInput(attrs={"type": "date"}))


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def lint(request: PortalRequest) -> HttpResponse:
    """What is wrong with the policies and applications here, worst first."""
    return _page(request)


def _page(request: PortalRequest, *, events: tuple[str, ...] = (), faults: tuple[str, ...] = ()) -> HttpResponse:
    terms = _terms(request)
    report = linting.report(request.reach, _organizations(request))
    organization = request.organization
    context: dict[str, Any] = {
        "report": report,
        "page": listing.page_of(report, terms),
        "terms": terms,
        "asked": {name: value for name, value in asdict(terms).items() if value and (name, value) != ("show", "open")},
        "faults": faults,
        "severities": listing.SEVERITIES,
        "may_write": bool(organization) and request.reach.can(Capability.POLICY_WRITE, organization.id),
    }
    status = 422 if faults else 200
    return respond(request, "policies/lint.html", context, fragments=_FRAGMENTS, events=events, status=status)


@require_safe
@needs(Capability.POLICY_READ, everywhere=True)
def lint_export(request: PortalRequest) -> HttpResponse:
    """What the list shows, as CSV."""
    report = linting.report(request.reach, _organizations(request))
    lines = list(listing.exported(request.reach, request.organization, _terms(request), report, _named(request)))
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="lint-{clock.now():%Y%m%d-%H%M%S}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer  # type: ignore[return-value]


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def lint_fix(request: PortalRequest) -> HttpResponse:
    """What fixing these findings would do; POST: do it, and offer to undo it."""
    if request.method != "POST":
        keys = _keys(request)
        plans = linting.plan(request.reach, request.organization.id, keys) if keys else []
        context = {"plans": plans, "able": [one for one in plans if one.text], "back": _back(request)}
        return respond(request, "policies/lint_fix.html", context, fragments={"dialog"})
    done = linting.fix(request.reach, organization_id=request.organization.id, keys=request.POST.getlist("finding"))
    faults = tuple(dict.fromkeys(reason for _, reason in done.failed))
    if not request.htmx:
        return redirect(_back(request)) if not faults else _page(request, faults=faults)
    answer = _page(request, events=_CHANGED, faults=faults)
    for step in done.steps:
        offer(answer, step)
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def lint_accept(request: PortalRequest) -> HttpResponse:
    """Live with a finding: why, and until when."""
    wanted = request.POST.get("finding") or request.GET.get("finding") or ""
    found = _one(request, wanted)
    initial = {"review_on": (clock.now() + timedelta(days=_REVIEW_DAYS)).date()}
    form = AcceptForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            subjects = [(found.code, found.subject_type, found.subject_id)]
            linting.accept(
                request.reach, organization_id=request.organization.id, subjects=subjects, **form.cleaned_data
            )
            return _page(request, events=("dialog-done",)) if request.htmx else redirect(_back(request))
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "finding": found, "back": _back(request)}
    status = 422 if form.errors else 200
    if request.htmx and form.errors:
        answer = respond(request, "policies/lint_accept.html#dialog", context, status=status)
        answer["HX-Retarget"], answer["HX-Reswap"] = "#dialog", "innerHTML"
        return answer
    return respond(request, "policies/lint_accept.html", context, fragments={"dialog"}, status=status)


@require_POST
@needs(Capability.POLICY_WRITE)
def lint_withdraw(request: PortalRequest) -> HttpResponse:
    """Take an acceptance back: the finding counts again."""
    found = _one(request, request.POST.get("finding", ""))
    linting.withdraw(request.reach, organization_id=request.organization.id, code=found.code, subject=found.subject_id)
    return _page(request) if request.htmx else redirect(_back(request))


@require_safe
@needs(Capability.APPLICATION_READ)
def lint_condition(request: PortalRequest, application: UUID, rule: UUID) -> HttpResponse:
    """To the editor of a rule that asks for too little, filled in with what all that it matched had in common."""
    seen = suggesting.common_condition(request.reach, request.organization, application, rule)
    there = address("policies:application-detail", request.organization, application=application)
    return redirect(there + suggesting.editor_query(rule, seen))


def _one(request: PortalRequest, key: str) -> Finding:
    found = next((one for one in linting.findings(request.reach, request.organization.id) if one.key == key), None)
    if found is None:
        raise NotFound
    return found


def _keys(request: PortalRequest) -> list[str]:
    """The findings of the address, or all of its code that a button mends."""
    named = request.GET.getlist("finding")
    code = request.GET.get("code", "")
    if named or not code:
        return named
    found = listing.chosen(linting.findings(request.reach, request.organization.id), Terms(code=code))
    return [one.key for one in found if one.fix is not None and one.fix.is_done_here][:MOST_AT_ONCE]


def _terms(request: PortalRequest) -> Terms:
    """The filters of the address; after a POST by htmx those of the page it came from. Unknown values say nothing."""
    sent = request.GET
    if request.method == "POST" and request.htmx:
        sent = QueryDict(urlsplit(request.htmx.current_url or "").query)
    known = {
        "show": ("accepted", "above"),
        "severity": tuple(key for key, _, _ in listing.SEVERITIES),
        "code": tuple(map(str, CODES)),
        "level": ("global", "organization", "group", "computer", "application"),
    }
    given = {name: sent.get(name, "") for name in known}
    terms = {name: value for name, value in given.items() if value in known[name]}
    return Terms(**terms, application=sent.get("application", "")[:40], q=sent.get("q", "").strip()[:120])


def _organizations(request: PortalRequest) -> list[UUID]:
    if request.organization is not None:
        return [request.organization.id]
    return sorted(request.reach.with_capability(Capability.POLICY_READ))


def _named(request: PortalRequest) -> dict[UUID, str]:
    return {one.id: one.name for one in tenants.organizations(request.reach)}


def _back(request: PortalRequest) -> str:
    return address("policies:lint", request.organization)
