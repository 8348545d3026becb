"""Applications: create, rename, copy, hide, delete, and take in or hand out as a file."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from policies import catalogue, portable
from policies.application_forms import ApplicationForm, DuplicateForm, ImportForm, RuleForm
from policies.catalogue import RuleDraft
from policies.deletion import deletion_impact
from policies.duplicating import duplicate_application
from policies.engine.rules import RULE_FIELDS
from policies.models import Application
from policies.views.applications import own_application, visible_application
from portal.common.errors import FieldError, Invalid, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.common.uuid7 import is_uuid
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def application_create(request: PortalRequest) -> HttpResponse:
    """A new custom application of this organization, with its first rule when one is typed or comes in the address."""
    posted = request.POST if request.method == "POST" else None
    form = ApplicationForm(posted, initial=request.GET.dict(), is_new=True)
    boxes = {name: request.GET.get(name, "")[:4096] for name in (*RULE_FIELDS, "note")}
    rule_form = RuleForm(posted, initial=boxes)
    if request.method == "POST" and form.is_valid() and rule_form.is_valid():
        try:
            made, has_rule = _create(request, form, rule_form)
            return redirect(_address(request, made) + ("" if has_rule else "?edit=new"))
        except PortalError as error:
            _put_errors(form, rule_form, error)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "rule_form": rule_form}
    return respond(request, "policies/application_form.html", context, status=status)


def _create(request: PortalRequest, form: ApplicationForm, rule_form: RuleForm) -> tuple[Application, bool]:
    """The new application, and whether it came with its first rule."""
    draft = RuleDraft(**rule_form.cleaned_data)
    rules = [draft] if any(getattr(draft, name).strip() for name in RULE_FIELDS) else []
    made = catalogue.create_application(
        request.reach, organization_id=request.organization.id, rules=rules, **form.cleaned_data
    )
    return made, bool(rules)


def _put_errors(form: ApplicationForm, rule_form: RuleForm, error: PortalError) -> None:
    """Faults of the first rule at its boxes, the others at the application's."""
    faults: tuple[FieldError, ...] = getattr(error, "errors", ())
    of_rule = [fault for fault in faults if fault.pointer.startswith("/rules/0/")]
    for fault in of_rule:
        rule_form.add_error(fault.pointer.removeprefix("/rules/0/") or None, fault.detail)
    if not of_rule:
        put_errors(form, error)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def application_edit(request: PortalRequest, application: UUID) -> HttpResponse:
    """Change name, publisher, category and description."""
    found = own_application(request, application)
    now = {name: getattr(found, name) for name in ("name", "publisher", "category", "description")}
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
def application_hide(request: PortalRequest, application: UUID) -> HttpResponse:
    """Hide it from lists and choices, or show it again (`hidden`: on or off). Policies on it go on."""
    found = own_application(request, application)
    hidden = request.POST.get("hidden") == "on"
    catalogue.update_application(request.reach, found.id, hidden=hidden)
    word = "hidden: lists and choices leave it out, policies on it go on" if hidden else "shown again"
    messages.success(request, f"{found.name} is {word}.")
    return redirect(_address(request, found))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def application_duplicate(request: PortalRequest, application: UUID) -> HttpResponse:
    """An own copy of any application that may be named here: a dialog that asks for the name, and the copy."""
    found = visible_application(request, application)
    form = DuplicateForm(
        request.POST if request.method == "POST" else None, initial={"name": f"{found.name} copy"[:120]}
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = duplicate_application(
                request.reach, found.id, organization_id=request.organization.id, name=form.cleaned_data["name"]
            )
            messages.success(request, f"{made.name} is a copy of your own. Policies still name the original.")
            return _gone_to(request, _address(request, made))
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "application": found}
    return respond(request, "policies/application_duplicate.html", context, status=422 if form.errors else 200,
                   fragments={"dialog"})  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def application_delete(request: PortalRequest, application: UUID) -> HttpResponse:
    """What deleting it would break, and what to do instead; a POST deletes one that no policy names."""
    found = own_application(request, application)
    if request.method == "POST":
        catalogue.delete_application(request.reach, found.id)
        messages.success(request, f"{found.name} is deleted.")
        return _gone_to(request, address("policies:application-list", request.organization))
    context = {"impact": deletion_impact(request.reach, found), "application": found}
    return respond(request, "policies/application_delete.html", context, fragments={"dialog"})


@require_GET
@needs(_READ, everywhere=True)
def application_file(request: PortalRequest) -> HttpResponse:
    """The applications named by `ids` (at most 200) as one JSON file."""
    ids = request.GET.getlist("ids")[: portable.MOST_APPLICATIONS]
    found = [visible_application(request, UUID(one)) for one in ids if is_uuid(one)]
    response = JsonResponse(portable.exported(request.reach, found), json_dumps_params={"indent": 1})
    response["Content-Disposition"] = 'attachment; filename="applications.json"'
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def application_import(request: PortalRequest) -> HttpResponse:
    """Take in a file: first what comes in and what stands against it, then, with `confirmed`, the applications."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        text = form.cleaned_data["text"]
        try:
            if form.cleaned_data["confirmed"]:
                made = portable.import_applications(request.reach, request.organization, text)
                messages.success(request, f"{len(made)} application{'' if len(made) == 1 else 's'} came in.")
                return redirect(address("policies:application-list", request.organization))
            context |= {"coming": portable.read_file(request.reach, request.organization, text), "text": text}
        except Invalid as error:
            form.add_error("text", " ".join(fault.detail for fault in error.errors))
    return respond(request, "policies/application_import.html", context, status=422 if form.errors else 200)


def _gone_to(request: PortalRequest, there: str) -> HttpResponse:
    """On to another page, out of a dialog too."""
    if request.htmx:
        response = HttpResponse()
        response["HX-Redirect"] = there
        return response
    return redirect(there)


def _address(request: PortalRequest, application: Application) -> str:
    return address("policies:application-detail", request.organization, application=application.id)
