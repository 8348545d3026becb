"""Keeping applications tidy: merge, split, collapse hashes, replace a certificate; what was done, with its undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from policies import queries, undoing
from policies.catalogue import RuleDraft
from policies.models import Kind, UndoStep
from policies.upkeep import certificates, collapse, merging, splitting, steps, touching
from policies.upkeep.certificates import How
from policies.upkeep.reviewing import Wanted
from portal.common.errors import Conflict, Forbidden, Invalid, NotFound, PortalError, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

T = TypeVar("T")

_WRITE = Capability.APPLICATION_WRITE
_METHODS = ["GET", "HEAD", "POST"]
_BOXES = ("path", "process", "created_by", "certificate", "hash")
_RULES_SHOWN = 500
_RULES_AT_ONCE = 1000
_STEPS_SHOWN = 50


@require_http_methods(_METHODS)
@needs(_WRITE)
def application_merge(request: PortalRequest) -> HttpResponse:
    """Choose the survivor, see what moves and which policies come to match more, merge. `?ids=` the applications."""
    sent, organization = _sent(request), request.organization
    ids = [one for text in sent.getlist("ids") for one in text.split(",") if one]
    survivor = sent.get("survivor") or None
    if len(set(ids)) < 2:
        own = queries.applications(request.reach).filter(organization_id=organization.id, kind=Kind.CUSTOM)
        return respond(request, "policies/upkeep/choose.html", {"applications": own[:200], "chosen": ids})
    fault = None
    if _verb(request) == "merge":
        step, fault = _tried(
            lambda: merging.merge_applications(
                request.reach, organization.id, ids, survivor=survivor or "", seen=sent.get("seen", "")
            )
        )
        if step is not None:
            return _done(request, step)
    plan = merging.plan_merge(request.reach, organization.id, ids, survivor=survivor)
    return _answer(request, "merge", {"plan": plan}, fault)


@require_http_methods(_METHODS)
@needs(_WRITE)
def application_split(request: PortalRequest, application: UUID) -> HttpResponse:
    """Tick rules, name the new application, choose the policies that get it too, split."""
    sent, organization = _sent(request), request.organization
    (found,) = touching.own_applications(request.reach, organization.id, [application])
    rule_ids = sent.getlist("rule")
    policy_ids = sent.getlist("policy") if "policies-shown" in sent else None
    fault, plan = None, None
    if _verb(request) == "split":
        done, fault = _tried(
            lambda: splitting.split_application(
                request.reach,
                organization.id,
                found.id,
                name=sent.get("name", ""),
                rule_ids=rule_ids,
                policy_ids=policy_ids,
                seen=sent.get("seen", ""),
            )
        )
        if done is not None:
            return _done(request, done.step)
    if rule_ids:
        plan, later = _tried(
            lambda: splitting.plan_split(
                request.reach, organization.id, found.id, rule_ids=rule_ids, policy_ids=policy_ids
            )
        )
        fault = fault or later
    rules = queries.rules_of(request.reach, found.id)
    context = {
        "application": found,
        "plan": plan,
        "rules": rules[:_RULES_SHOWN],
        "hidden_rules": max(0, queries.rule_count(found) - _RULES_SHOWN),
        "ticked": set(rule_ids),
        "name": sent.get("name", ""),
    }
    return _answer(request, "split", context, fault)


@require_http_methods(_METHODS)
@needs(_WRITE)
def application_collapse(request: PortalRequest, application: UUID) -> HttpResponse:
    """The rules proposed for an application's hashes, edited and ticked; what they replace and what else they match.
    For many hashes the page comes first, and the proposals with `?work=1`."""
    sent, organization = _sent(request), request.organization
    (found,) = touching.own_applications(request.reach, organization.id, [application])
    fault = None
    if request.method == "POST":
        wanted = _wanted(sent)
        if _verb(request) == "collapse":
            step, fault = _tried(
                lambda: collapse.collapse_hashes(
                    request.reach,
                    organization.id,
                    found.id,
                    rules=[one.rule for one in wanted if one.ticked],
                    seen=sent.get("seen", ""),
                )
            )
            if step is not None:
                return _done(request, step)
        review = collapse.review(request.reach, organization.id, found.id, wanted)
    elif queries.rule_count(found) > _RULES_AT_ONCE and "work" not in request.GET:
        return _answer(request, "collapse", {"application": found, "review": None}, None)
    else:
        review = collapse.propose(request.reach, organization.id, found.id)
    return _answer(request, "collapse", {"application": found, "review": review}, fault)


@require_http_methods(_METHODS)
@needs(_WRITE)
def certificate_replace(request: PortalRequest) -> HttpResponse:
    """Put a vendor's new certificate in the place of the old one, or beside it, in all rules of this organization."""
    sent, organization = _sent(request), request.organization
    old = sent.get("old", "")
    new = ("" if request.htmx else sent.get("use", "")) or sent.get("new", "").strip()
    how: How = "beside" if sent.get("how", "beside") == "beside" else "replace"
    fault, plan = None, None
    if _verb(request) == "replace":
        step, fault = _tried(
            lambda: certificates.replace_certificate(
                request.reach, organization.id, old=old, new=new, how=how, seen=sent.get("seen", "")
            )
        )
        if step is not None:
            return _done(request, step)
    if old and new:
        plan, later = _tried(
            lambda: certificates.plan_replacement(request.reach, organization.id, old=old, new=new, how=how)
        )
        fault = fault or later
    context = {
        "signers": certificates.signers(request.reach, organization.id),
        "successors": certificates.successors(request.reach, organization.id, old) if old else [],
        "plan": plan,
        "old": old,
        "new": new,
        "how": how,
        "ways": (("beside", "Add beside it", "", ""), ("replace", "Put in its place", "", "")),
    }
    return _answer(request, "certificate", context, fault)


@require_safe
@needs(Capability.APPLICATION_READ)
def upkeep_done(request: PortalRequest) -> HttpResponse:
    """What was tidied here, newest first, each with its undo. `?step=` is the one just done."""
    organization, wanted = request.organization, request.GET.get("step", "")
    found = undoing.undo_steps(request.reach, organization.id).filter(kind__in=steps.KINDS)
    context = {
        "steps": found[:_STEPS_SHOWN],
        "just_done": _step(request, wanted) if wanted else None,
        "may_tidy": request.reach.can(_WRITE, organization.id),
        "may_write": request.reach.can(Capability.POLICY_WRITE, organization.id),
    }
    return respond(request, "policies/upkeep/done.html", context)


def _step(request: PortalRequest, wanted: str) -> UndoStep:
    """A step of the organization in the address. Raises NotFound."""
    found = undoing.undo_step(request.reach, wanted)
    if found.organization_id != request.organization.id or found.kind not in steps.KINDS:
        raise NotFound
    return found


def _sent(request: PortalRequest) -> QueryDict:
    return request.POST if request.method == "POST" else request.GET


def _verb(request: PortalRequest) -> str:
    """The button that was pressed. A form that htmx posts when a tick changes names whichever button has the focus:
    it only asks for the preview, whatever it says."""
    return request.POST.get("verb", "") if request.method == "POST" and not request.htmx else ""


def _tried(write: Callable[[], T]) -> tuple[T | None, PortalError | None]:
    """What it gave, or the rule that said no."""
    try:
        return write(), None
    except (Refused, Conflict, Invalid, Forbidden) as error:
        return None, error


def _answer(request: PortalRequest, name: str, context: dict[str, Any], fault: PortalError | None) -> HttpResponse:
    status = 200 if fault is None else 409 if isinstance(fault, Conflict) else 422
    return respond(
        request,
        f"policies/upkeep/{name}.html",
        {**context, "fault": fault},
        fragments={f"{name}-plan"},
        status=status,
    )


def _done(request: PortalRequest, step: UndoStep) -> HttpResponse:
    return redirect(f"{address('policies:upkeep-done', request.organization)}?step={step.id}")


def _wanted(sent: QueryDict) -> list[Wanted]:
    """The rules of the form, by their number."""
    found = []
    for number in sent.getlist("rule")[:100]:
        boxes = {name: sent.get(f"{name}-{number}", "").strip() for name in _BOXES}
        found.append(Wanted(RuleDraft(**boxes), ticked=f"tick-{number}" in sent))
    return found
