"""The rule editor: save, delete, paste many, and what a rule would match while it is being typed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from policies import catalogue, linting
from policies.application_forms import PasteForm, RuleForm
from policies.catalogue import RuleDraft
from policies.engine.rules import RULE_FIELDS
from policies.models import Application
from policies.previews import MatchPreview, match_preview
from policies.rule_lists import ReadRules, add_file_rules, read_rules
from policies.strength import strength
from policies.views.applications import own_application, preview_template, shown_page
from portal.common.errors import Invalid, PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability
from portal.tenants.models import OperatingSystem

_WRITE = Capability.APPLICATION_WRITE


@require_POST
@needs(_WRITE)
def rule_save(request: PortalRequest, application: UUID, rule: UUID | None = None) -> HttpResponse:
    """Add a rule, or change one. A pattern that cannot be used is told at its box."""
    found = own_application(request, application)
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
    return shown_page(request, found, editing=str(rule) if rule else "new", form=form)


@require_POST
@needs(_WRITE)
def rule_delete(request: PortalRequest, application: UUID, rule: UUID) -> HttpResponse:
    """Delete a rule."""
    found = own_application(request, application)
    catalogue.delete_file_rule(request.reach, found.id, rule)
    return _changed(request, found)


def _changed(request: PortalRequest, application: Application) -> HttpResponse:
    if request.htmx:
        return shown_page(request, application, events=("changes-made", "rules-changed"))
    return redirect(address("policies:application-detail", request.organization, application=application.id))


@require_POST
@needs(_WRITE)
def rule_preview(request: PortalRequest) -> HttpResponse:
    """What a rule as typed matches of all that was seen here, how strong it is, and what is wrong with it. Saves
    nothing. `os` names the system.
    """
    form = RuleForm(request.POST)
    form.is_valid()
    draft = RuleDraft(**{name: form.cleaned_data.get(name, "") for name in RULE_FIELDS})
    os = request.POST.get("os", "")
    if os not in OperatingSystem.values:
        os = OperatingSystem.WINDOWS
    context: dict[str, Any] = {"rule_form": form, "strength": strength(draft, os), "is_typing": True}
    context["findings"] = linting.check_rule_text(os, draft, is_weak=False)
    if any(getattr(draft, name).strip() for name in RULE_FIELDS):
        try:
            catalogue.checked_rules([draft], os)
            context["preview"] = match_preview()(request.reach, os, [draft], request.organization)
        except Invalid as error:
            _put_rule_errors(form, error)
            context["faults"] = [fault.detail for fault in error.errors]
    else:
        context["preview"] = MatchPreview()
    return respond(request, preview_template(request), context)


def _put_rule_errors(form: RuleForm, error: Invalid) -> None:
    for fault in error.errors:
        name = fault.pointer.rpartition("/")[2]
        form.add_error(name if name in form.fields else None, fault.detail)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(_WRITE)
def rule_paste(request: PortalRequest, application: UUID) -> HttpResponse:
    """Many rules at once from a pasted list. With a fault in one line nothing is saved and the text stays as it is."""
    found = own_application(request, application)
    form = PasteForm(request.POST if request.method == "POST" else None)
    read = ReadRules()
    if request.method == "POST" and form.is_valid():
        read = read_rules(form.cleaned_data["lines"], found.os)
        if read.rules and not read.faults:
            try:
                done = add_file_rules(request.reach, found.id, rules=read.rules)
                known = f" {done.known:,} were there already." if done.known else ""
                messages.success(request, f"{done.added:,} rule{'' if done.added == 1 else 's'} added.{known}")
                return redirect(address("policies:application-detail", request.organization, application=found.id))
            except PortalError as error:
                put_errors(form, error)
        elif not read.faults:
            form.add_error("lines", "There is no rule in this list.")
    context = {"form": form, "application": found, "read": read}
    status = 422 if form.errors or read.faults else 200
    return respond(request, "policies/rule_paste.html", context, status=status)
