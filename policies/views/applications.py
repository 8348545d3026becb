"""Applications: the list with its filters, and one application with its rules, sightings and the Try it box."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST, require_safe

from policies import application_export, catalogue, queries, trying
from policies.application_forms import ApplicationFilter, RuleForm, TryForm
from policies.application_list import CONDITIONS, ApplicationTerms, Choice, Facet, applications_listed, facets
from policies.application_page import application_page, hash_lines, sightings
from policies.application_rows import application_rows, reach_in
from policies.engine.facts import FileFacts
from policies.models import Application
from portal.common.errors import NotFound, PortalError
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.paging import Page, keyset
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE
_LIST_FRAGMENTS = frozenset({"application-results", "rows"})
_PAGE_FRAGMENTS = frozenset({"rules", "try-result", "hash-rows"})
_MOST_AT_ONCE = 200


@require_safe
@needs(_READ, everywhere=True)
def application_list(request: PortalRequest) -> HttpResponse:
    """Applications that policies here may name, or all in reach; filters, order and page stand in the address."""
    organization = request.organization
    terms = ApplicationTerms.of(ApplicationFilter(request.GET).asked())
    found = applications_listed(request.reach, organization, terms)
    page: Page[Application] = keyset(found, order=terms.order, after=request.GET.get("after", ""))
    context: dict[str, Any] = {
        "page": page,
        "rows": application_rows(request.reach, organization, page.rows),
        "terms": terms,
        "may_write": _may_write_here(request),
    }
    if request.htmx.target != "rows":
        shown = facets(request.reach, organization, terms)
        context["facets"] = shown
        context["conditions"] = [Choice(name, label, 0, getattr(terms, name)) for name, label in CONDITIONS]
        context["chips"] = _chips(request, terms, shown)
        context["kept"] = [(name, value) for name, value in request.GET.items() if name not in ("q", "after")]
    return respond(request, "policies/applications.html", context, fragments=_LIST_FRAGMENTS)


def _chips(request: PortalRequest, terms: ApplicationTerms, shown: list[Facet]) -> list[tuple[str, str]]:
    """(words, address without it) of everything that narrows the list."""
    found = [("q", f"“{terms.q}”")] if terms.q else []
    found += [(facet.name, choice.label) for facet in shown for choice in facet.choices if choice.is_on]
    found += [(name, label) for name, label in CONDITIONS if getattr(terms, name)]
    return [(words, _without(request, name)) for name, words in found]


def _without(request: PortalRequest, name: str) -> str:
    query = request.GET.copy()
    for gone in (name, "after"):
        query.pop(gone, None)
    return f"?{query.urlencode()}"


@require_GET
@needs(_READ, everywhere=True)
def application_export_csv(request: PortalRequest) -> HttpResponse:
    """The whole list with its filters as CSV. Stands in the System Audit."""
    terms = ApplicationTerms.of(ApplicationFilter(request.GET).asked())
    return application_export.csv_response(request.reach, request.organization, terms)


@require_POST
@needs(_WRITE)
def application_bulk(request: PortalRequest) -> HttpResponse:
    """Hide or show the ticked applications. What was refused is told by name; the others are done."""
    hidden = request.POST.get("verb") == "hide"
    done, refused = 0, []
    for one in request.POST.getlist("ids")[:_MOST_AT_ONCE]:
        found = queries.application(request.reach, one)
        try:
            catalogue.update_application(request.reach, own_application(request, found.id).id, hidden=hidden)
            done += 1
        except NotFound:
            refused.append(f"{found.name} is not of this organization.")
        except PortalError as error:
            refused.append(error.message)
    word = "hidden" if hidden else "shown"
    messages.success(request, f"{done} application{'' if done == 1 else 's'} {word}.")
    for sentence in refused[:5]:
        messages.warning(request, sentence)
    query = request.POST.get("query", "").lstrip("?")
    return redirect(f"{address('policies:application-list', request.organization)}?{query}")


@require_safe
@needs(_READ, everywhere=True)
def application_detail(request: PortalRequest, application: UUID) -> HttpResponse:
    """One application: its rules, who uses it, and a box to try it. `?edit=` opens one rule, `?edit=new` a new one;
    `?path=…` and the other boxes prefill the new one.
    """
    found = visible_application(request, application)
    if request.htmx.target == "try-result":
        return respond(request, "policies/application.html", _trials(request, found), fragments=_PAGE_FRAGMENTS)
    if request.htmx.target == "hash-rows":
        here = reach_in(request.reach, request.organization)
        more = hash_lines(request.reach, here, found, after=request.GET.get("after", ""))
        context = {"hashes": more, "page": more, "application": found, "may_write": may_write(request, found)}
        return respond(request, "policies/application.html", context, fragments=_PAGE_FRAGMENTS)
    editing = request.GET.get("edit", "")
    form = _rule_form(request, found, editing) if editing and may_write(request, found) else None
    return shown_page(request, found, editing=editing if form else "", form=form)


@require_safe
@needs(_READ, everywhere=True)
def application_preview(request: PortalRequest, application: UUID) -> HttpResponse:
    """What was seen in the last 30 days that the application's rules match."""
    found = visible_application(request, application)
    context = {"preview": sightings(request.reach, request.organization, found), "of_all": True}
    return respond(request, preview_template(request), context)


def preview_template(request: PortalRequest) -> str:
    """The panel that htmx puts in its place, or the page of a browser without scripts."""
    return "policies/preview.html" if request.htmx else "policies/preview_page.html"


def shown_page(
    request: PortalRequest,
    application: Application,
    *,
    editing: str = "",
    form: RuleForm | None = None,
    events: tuple[str, ...] = (),
) -> HttpResponse:
    """The page (or its rules) of one application, with a rule being edited; 422 when that one has faults."""
    found = queries.application(request.reach, application.id)
    shown = application_page(request.reach, request.organization, found, after=request.GET.get("after", ""))
    context: dict[str, Any] = {
        "application": found,
        "shown": shown,
        "hashes": shown.hashes,
        "page": shown.hashes,
        "editing": editing,
        "rule_form": form,
        "may_write": may_write(request, found),
        "may_copy": _may_write_here(request),
        "is_own": request.organization is not None and found.organization_id == request.organization.id,
        **_trials(request, found),
    }
    status = 422 if form is not None and form.errors else 200
    return respond(
        request, "policies/application.html", context, fragments=_PAGE_FRAGMENTS, status=status, events=events
    )


def _trials(request: PortalRequest, application: Application) -> dict[str, Any]:
    """The Try it box and what it found; nothing while it is empty, or while its boxes prefill a new rule."""
    tries = any(request.GET.get(name) for name in TryForm.base_fields) and not request.GET.get("edit")
    form = TryForm(request.GET if tries else None)
    if not tries or not form.is_valid():
        return {"try_form": form, "trials": None}
    facts = dict(form.cleaned_data)
    certificate = facts.pop("certificate")
    seen = FileFacts(**facts, certificates=(certificate,) if certificate else ())
    trials = trying.try_application(request.reach, application.id, seen)
    return {"try_form": form, "trials": trials, "won": trying.verdict_on(trials)}


def _rule_form(request: PortalRequest, application: Application, editing: str) -> RuleForm:
    if editing == "new":
        return RuleForm(initial={name: request.GET.get(name, "")[:4096] for name in RuleForm.base_fields})
    rule = queries.file_rule(request.reach, application.id, editing)
    proposed = {name: request.GET.get(name, "")[:4096] for name in RuleForm.base_fields}
    return RuleForm(initial={name: getattr(rule, name) or proposed[name] for name in RuleForm.base_fields})


def visible_application(request: PortalRequest, application: UUID) -> Application:
    """An application that may be looked at here: one that this organization's policies may name."""
    found = queries.application(request.reach, application)
    if request.organization is None:
        return found
    if not queries.applications_for(request.reach, request.organization.id).filter(id=found.id).exists():
        raise NotFound
    return found


def own_application(request: PortalRequest, application: UUID) -> Application:
    """The application of the organization in the address; another's is not found under it."""
    found = queries.application(request.reach, application)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def may_write(request: PortalRequest, application: Application) -> bool:
    """Whether this person may change the application, here."""
    organization = request.organization
    return organization is not None and application.organization_id == organization.id and _may_write_here(request)


def _may_write_here(request: PortalRequest) -> bool:
    organization = request.organization
    return organization is not None and bool(request.reach.can(_WRITE, organization.id))
