"""Applications: list, page with the rules editor and the Try it box, create, change, delete."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from policies import catalogue, queries, trying
from policies.catalogue import RuleDraft
from policies.engine.facts import FileFacts
from policies.forms import ApplicationFilter, ApplicationForm, RuleForm, TryForm
from policies.models import Application
from portal.common.errors import NotFound, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import Page, keyset
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE
_LIST_FRAGMENTS = frozenset({"application-table", "rows"})
_PAGE_FRAGMENTS = frozenset({"rules", "try-result"})
_RULES_SHOWN = 200
_KINDS = (
    ("", "All", "?", None),
    ("custom", "Custom", "?kind=custom", None),
    ("builtin", "Built-in", "?kind=builtin", None),
)


@require_safe
@needs(_READ, everywhere=True)
def application_list(request: PortalRequest) -> HttpResponse:
    """Applications that policies here may name, or all in reach."""
    organization = request.organization
    asked = ApplicationFilter(request.GET).asked()
    found = queries.applications_listed(
        request.reach, organization=str(organization.id) if organization else "", **asked
    )
    page: Page[Application] = keyset(found, order=("name", "id"), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "asked": asked,
        "kinds": _KINDS,
        "may_write": bool(organization) and request.reach.can(_WRITE, organization.id),
    }
    return respond(request, "policies/applications.html", context, fragments=_LIST_FRAGMENTS)


@require_safe
@needs(_READ, everywhere=True)
def application_detail(request: PortalRequest, application: UUID) -> HttpResponse:
    """One application: its rules, who uses it, and a box to try it. `?edit=` opens one rule, `?edit=new` a new one."""
    found = _visible(request, application)
    editing = request.GET.get("edit", "")
    form = _rule_form(request, found, editing) if editing and _may_write(request, found) else None
    return _page(request, found, editing=editing if form else "", form=form)


def _page(
    request: PortalRequest,
    application: Application,
    *,
    editing: str = "",
    form: RuleForm | None = None,
    events: tuple[str, ...] = (),
) -> HttpResponse:
    found = queries.application(request.reach, application.id)
    rules = queries.rules_of(request.reach, found.id)
    context: dict[str, Any] = {
        "application": found,
        "rules": rules[:_RULES_SHOWN],
        "hidden_rules": max(0, queries.rule_count(found) - _RULES_SHOWN),
        "editing": editing,
        "rule_form": form,
        "policies": queries.policies_using(request.reach, found.id)[:50],
        "may_write": _may_write(request, found),
        "is_own": request.organization is not None and found.organization_id == request.organization.id,
        "try_form": TryForm(request.GET if _tries(request) else None),
        **_trials(request, found),
    }
    status = 422 if form is not None and form.errors else 200
    return respond(
        request, "policies/application.html", context, fragments=_PAGE_FRAGMENTS, status=status, events=events
    )


def _tries(request: PortalRequest) -> bool:
    return any(request.GET.get(name) for name in TryForm.base_fields)


def _trials(request: PortalRequest, application: Application) -> dict[str, Any]:
    """What the Try it box found; nothing while it is empty."""
    form = TryForm(request.GET)
    if not _tries(request) or not form.is_valid():
        return {"trials": None}
    facts = dict(form.cleaned_data)
    certificate = facts.pop("certificate")
    seen = FileFacts(**facts, certificates=(certificate,) if certificate else ())
    trials = trying.try_application(request.reach, application.id, seen)
    return {"trials": trials, "won": trying.verdict_on(trials)}


def _rule_form(request: PortalRequest, application: Application, editing: str) -> RuleForm:
    if editing == "new":
        return RuleForm()
    rule = queries.file_rule(request.reach, application.id, editing)
    return RuleForm(initial={name: getattr(rule, name) for name in RuleForm.base_fields})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def application_create(request: PortalRequest) -> HttpResponse:
    """A new custom application of this organization."""
    form = ApplicationForm(request.POST or None, is_new=True)
    if request.method == "POST" and form.is_valid():
        try:
            made = catalogue.create_application(
                request.reach, organization_id=request.organization.id, **form.cleaned_data
            )
            there = address("policies:application-detail", request.organization, application=made.id)
            return redirect(f"{there}?edit=new")
        except PortalError as error:
            put_errors(form, error)
    return respond(request, "policies/application_form.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def application_edit(request: PortalRequest, application: UUID) -> HttpResponse:
    """Change name, publisher and description."""
    found = _own(request, application)
    now = {name: getattr(found, name) for name in ("name", "publisher", "description")}
    form = ApplicationForm(request.POST or None, initial=now, is_new=False)
    if request.method == "POST" and form.is_valid():
        try:
            catalogue.update_application(request.reach, found.id, **form.cleaned_data)
            return redirect(_address(request, found))
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "application": found}
    return respond(request, "policies/application_form.html", context, status=422 if form.errors else 200)


@require_POST
@needs(_WRITE)
def application_delete(request: PortalRequest, application: UUID) -> HttpResponse:
    """Delete an application that no policy names."""
    catalogue.delete_application(request.reach, _own(request, application).id)
    return redirect(address("policies:application-list", request.organization))


@require_POST
@needs(_WRITE)
def rule_save(request: PortalRequest, application: UUID, rule: UUID | None = None) -> HttpResponse:
    """Add a rule, or change one. A pattern that cannot be used is told at its box."""
    found = _own(request, application)
    form = RuleForm(request.POST)
    if form.is_valid():
        draft = RuleDraft(**form.cleaned_data)
        try:
            if rule is None:
                catalogue.add_file_rule(request.reach, found.id, rule=draft)
            else:
                catalogue.update_file_rule(request.reach, found.id, rule, rule=draft)
            return _changed(request, found)
        except PortalError as error:
            put_errors(form, error)
    return _page(request, found, editing=str(rule) if rule else "new", form=form)


@require_POST
@needs(_WRITE)
def rule_delete(request: PortalRequest, application: UUID, rule: UUID) -> HttpResponse:
    """Delete a rule."""
    found = _own(request, application)
    catalogue.delete_file_rule(request.reach, found.id, rule)
    return _changed(request, found)


def _changed(request: PortalRequest, application: Application) -> HttpResponse:
    if request.htmx:
        return _page(request, application, events=("changes-made", "rules-changed"))
    return redirect(_address(request, application))


def _address(request: PortalRequest, application: Application) -> str:
    return address("policies:application-detail", request.organization, application=application.id)


def _visible(request: PortalRequest, application: UUID) -> Application:
    """An application that may be looked at here: one that this organization's policies may name."""
    found = queries.application(request.reach, application)
    if request.organization is None:
        return found
    if not queries.applications_for(request.reach, request.organization.id).filter(id=found.id).exists():
        raise NotFound
    return found


def _own(request: PortalRequest, application: UUID) -> Application:
    """The application of the organization in the address; another's is not found under it."""
    found = queries.application(request.reach, application)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def _may_write(request: PortalRequest, application: Application) -> bool:
    organization = request.organization
    own = organization is not None and application.organization_id == organization.id
    return own and bool(request.reach.can(_WRITE, organization.id))
