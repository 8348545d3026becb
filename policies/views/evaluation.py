"""Evaluate: what would happen to a file somewhere, why, what would permit it, and who else could run it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from policies.catalogue import RuleDraft
from policies.engine.normal_form import normal_facts
from policies.evaluation import starting
from policies.evaluation.answer import Answer, answer
from policies.evaluation.question import EvaluateForm, Question, fill, places_like
from policies.evaluation.smallest import Change
from policies.evaluation.start_form import StartForm
from policies.evaluation.who_else import WhoElse, who_else
from policies.models import Level
from policies.scopes import Scope
from policies.strength import strength
from portal.common import clock
from portal.common.errors import PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

_FRAGMENTS = frozenset({"evaluate", "trace", "who-else", "place-names"})
_NOT_ASKED = frozenset({"who", "where_like"})
_MOST_ORGANIZATIONS = 50


@require_safe
@needs(Capability.POLICY_READ)
def evaluate(request: PortalRequest) -> HttpResponse:
    """One question, which stands in the address, and its answer; nothing is asked yet without one."""
    if request.htmx.target == "place-names":
        found = places_like(request.reach, request.organization, request.GET.get("where", ""))
        return respond(request, "policies/evaluate.html", {"places": found}, fragments=_FRAGMENTS)
    filled = fill(request.reach, request.organization, request.GET)
    asked = bool(set(request.GET) - _NOT_ASKED - {"computer", "group", "from"})
    form = EvaluateForm(filled.values, reach=request.reach, organization=request.organization)
    shown = form if asked else EvaluateForm(None, reach=request.reach, organization=request.organization)
    context: dict[str, Any] = {"form": shown, "filled": filled, "asked": asked, "address": request.get_full_path()}
    if not asked:
        shown.initial = filled.values
    elif form.is_valid():
        context |= _answered(request, form)
    status = 422 if asked and form.errors else 200
    if request.htmx.target not in _FRAGMENTS:
        context["places"] = places_like(request.reach, request.organization, "")
    return respond(request, "policies/evaluate.html", context, fragments=_FRAGMENTS, status=status)


def _answered(request: PortalRequest, form: EvaluateForm) -> dict[str, Any]:
    question = form.question()
    found = answer(request.reach, question)
    event = request.GET.get("event", "")
    if request.GET.get("who"):
        others = _who_else(request, question)
        shown = others.organizations[:_MOST_ORGANIZATIONS]
        return {"answer": found, "who": others, "shown": shown, "hidden": len(others.organizations) - len(shown)}
    starts = [starting.start_of(request.reach, request.organization, change) for change in found.changes]
    return {
        "answer": found,
        "starts": [(start, _href(request, start, found, event)) for start in starts],
        "who_address": f"?{_with(request, who='1')}",
    }


def _who_else(request: PortalRequest, question: Question) -> WhoElse:
    at_ms = clock.to_ms(question.at or clock.now())
    return who_else(request.reach, facts=normal_facts(question.facts), os=question.os, at_ms=at_ms)


def _with(request: PortalRequest, **more: str) -> str:
    query = request.GET.copy()
    for name, value in more.items():
        query[name] = value
    return query.urlencode()


def _href(request: PortalRequest, start: starting.Start, found: Answer, event: str) -> str:
    """Where the change starts, filled in; empty when the reader may not make it."""
    change, organization = start.change, start.organization
    if start.missing:
        return ""
    if change.code == "create_permit" and event and not change.before:
        return f"{address('audit:event-permit', organization, event=event)}"
    if change.code in ("create_permit", "add_rule"):
        return f"{address('policies:evaluate-start', request.organization)}?{_started(request, change)}"
    if change.code == "prioritize":
        level, target = ("computer", found.place.computer) if found.place.computer else ("group", found.place.group)
        value = "off" if found.place.prioritize_builtin else "on"
        query = {"name": "prioritize_builtin_applications", "value": value, "scope": f"{level}:{target}"}
        return f"{address('policies:setting-create', organization)}?{urlencode(query)}"
    name = {"arm": "policies:policy-arm", "move": "policies:policy-move"}.get(change.code, "policies:policy-edit")
    there = address(name, organization, policy=change.policy)
    return f"{there}?where=before&other={change.before}" if change.code == "move" else there


def _started(request: PortalRequest, change: Change) -> str:
    """The question with the rule, so that the answer can be looked at again afterwards."""
    rule = change.rule or RuleDraft()
    boxes = {f"rule_{box}": getattr(rule, box) for box in _BOXES if getattr(rule, box)}
    more = {"application": change.application or "", "before": change.before or ""}
    return _with(request, **boxes, **{name: value for name, value in more.items() if value})


_BOXES = ("hash", "path", "process", "created_by", "certificate")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def evaluate_start(request: PortalRequest) -> HttpResponse:
    """Make a change that Evaluate proposed: a new permit, or a rule more. The question stands in the address."""
    filled = fill(request.reach, request.organization, request.GET)
    asked = EvaluateForm(filled.values, reach=request.reach, organization=request.organization)
    if not asked.is_valid():
        return redirect(f"{address('policies:evaluate', request.organization)}?{request.GET.urlencode()}")
    question = asked.question()
    form = StartForm(request.POST or None, asked=request.GET, question=question)
    if request.method == "POST" and form.is_valid():
        try:
            _start(request, form, question)
            return redirect(f"{address('policies:evaluate', request.organization)}?{_question_only(request)}")
        except PortalError as error:
            put_errors(form, error)
    context = {
        "form": form,
        "question": question,
        "strength": strength(form.proposed(), question.os),
        "back": f"{address('policies:evaluate', request.organization)}?{_question_only(request)}",
    }
    return respond(request, "policies/evaluate_start.html", context, status=422 if form.errors else 200)


def _start(request: PortalRequest, form: StartForm, question: Question) -> None:
    reach, organization, data = request.reach, request.organization, form.cleaned_data
    if form.application is not None:
        starting.add_rule(reach, form.application, organization_id=organization.id, rule=form.rule())
        return
    target: Any = question.computer or question.group
    level = Level.COMPUTER if question.computer else Level.GROUP
    starting.permit_by_rule(
        reach,
        scope=Scope(organization.id, level, target.id),
        os=question.os,
        name=data["name"],
        rule=form.rule(),
        target_name=target.name,
        before=form.before,
        reason=data["reason"],
        ticket=data["ticket"],
    )


def _question_only(request: PortalRequest) -> str:
    query = request.GET.copy()
    for name in list(query):
        if name.startswith("rule_") or name in ("application", "before"):
            del query[name]
    return query.urlencode()
