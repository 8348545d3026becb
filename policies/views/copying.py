"""The mapping screen: which policies, where to, what each becomes there; then keep it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.views.decorators.http import require_http_methods

from policies.copying import choices
from policies.copying.making import copy_policies
from policies.copying.mapping import MappedTarget, map_copies, policies_at, policies_to_copy
from policies.copying.wishes import Wishes
from policies.models import Policy
from policies.scopes import FoundScope, find_scope
from portal.common.errors import Forbidden, Invalid, NotFound, Refused
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants.capabilities import Capability

_FRAGMENTS = {"copy-plan"}


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_READ)
def policy_copy(request: PortalRequest) -> HttpResponse:
    """Map policies of this organization to targets; `?ids=` names the policies, `from` a whole scope."""
    sent = request.POST if request.method == "POST" else request.GET
    if request.method == "POST" and not request.reach.can_anywhere(Capability.POLICY_WRITE):
        raise Forbidden(Capability.POLICY_WRITE)
    policies = _policies(request, sent)
    targets = [_target(request, text) for text in dict.fromkeys(sent.getlist("targets"))]
    wishes = _wishes(sent, targets)
    fault = ""
    if request.method == "POST" and sent.get("verb") == "copy":
        try:
            copied = copy_policies(request.reach, [p.id for p in policies], targets, wishes=wishes)
            context = {"copied": copied, "count": sum(len(one.made) for one in copied)}
            return respond(request, "policies/copied.html", context, events=("changes-made", "policies-changed"))
        except (Refused, Invalid) as error:
            fault = error.message
    return _show(request, sent, policies, targets, wishes, fault)


def _show(
    request: PortalRequest,
    sent: QueryDict,
    policies: list[Policy],
    targets: list[FoundScope],
    wishes: Wishes,
    fault: str,
) -> HttpResponse:
    mapped: list[MappedTarget] = []
    if policies and targets:
        try:
            mapped = map_copies(request.reach, policies, targets, wishes)
        except Invalid as error:
            fault = fault or error.message
    context: dict[str, Any] = {
        "policies": policies,
        "mapped": mapped,
        "count": sum(len(one.copies) for one in mapped),
        "organizations": len({one.target.scope.organization_id for one in mapped}),
        "targets": choices.target_choices(request.reach),
        "chosen": [f"{t.scope.level}:{t.scope.target}" for t in targets],
        "sources": choices.source_choices(request.reach, request.organization),
        "source": sent.get("from", ""),
        "without_place": wishes.without_place,
        "fault": fault,
    }
    return respond(request, "policies/copy.html", context, fragments=_FRAGMENTS, status=422 if fault else 200)


def _policies(request: PortalRequest, sent: QueryDict) -> list[Policy]:
    """The policies that are named, all of this organization; or all of the scope that is."""
    ids = [_uuid(text) for texts in sent.getlist("ids") for text in texts.split(",") if text]
    if not ids and sent.get("from"):
        scope = _target(request, str(sent["from"])).scope
        if scope.organization_id != request.organization.id:
            raise NotFound
        ids = policies_at(request.reach, scope)
    if not ids:
        return []
    found = policies_to_copy(request.reach, ids)
    if any(policy.organization_id != request.organization.id for policy in found):
        raise NotFound
    return found


def _target(request: PortalRequest, text: str) -> FoundScope:
    level, _, target = text.partition(":")
    return find_scope(request.reach, level, target)


def _wishes(sent: QueryDict, targets: Iterable[FoundScope]) -> Wishes:
    """What was chosen. A policy whose box was shown and is not ticked is left out."""
    applications = {}
    for name, value in sent.items():
        kind, _, rest = name.partition(":")
        if kind == "app":
            organization, _, application = rest.partition(":")
            applications[_uuid(organization), _uuid(application)] = str(value)
    ticked = set(sent.getlist("in"))
    left_out = set()
    for shown in sent.getlist("shown"):
        if shown not in ticked:
            target, _, policy = shown.partition(":")
            left_out.add((_uuid(target), _uuid(policy)))
    where = "organization" if sent.get("without_place") == "organization" else "leave_out"
    return Wishes(applications, frozenset(left_out), where)  # type: ignore[arg-type]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound from error
