"""Many policies at once, from the bar beneath the list."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from policies import bulk, queries
from policies.bulk import Done, NotAll
from policies.models import Status
from policies.views.policies import CHANGED, list_address, show_list
from policies.views.undo import offer
from portal.common.errors import FieldError, Invalid, NotFound
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability

_NAMED = 12
_VERBS = {"enable": "Enable", "disable": "Disable", "delete": "Delete", "status": "Set status of"}


@require_POST
@needs(Capability.POLICY_WRITE)
def policy_bulk(request: PortalRequest) -> HttpResponse:
    """Enable, disable, delete, give a status to, or copy the ticked policies: all of them or none."""
    verb, ids = request.POST.get("do", ""), _ids(request)
    if verb == "copy":
        return _copy(request, ids)
    if verb in ("delete", "status") and "sure" not in request.POST:
        return _dialog(request, verb, ids)
    try:
        done = _write(request, verb)(request.reach, ids, organization_id=request.organization.id)
    except NotAll as refused:
        return _dialog(request, verb, ids, refused=refused)
    if not request.htmx:
        return redirect(list_address(request))
    return offer(show_list(request, events=CHANGED), done.step)


def _ids(request: PortalRequest) -> list[UUID]:
    try:
        return [UUID(text) for text in request.POST.getlist("ids")]
    except ValueError as error:
        raise NotFound from error


def _write(request: PortalRequest, verb: str) -> Callable[..., Done]:
    if verb == "status":
        status = request.POST.get("status", "")
        if status not in Status.values:
            raise Invalid([FieldError("/status", f"This must be one of {', '.join(Status.values)}.")])
        return partial(bulk.restate_policies, status=Status(status))
    writes: dict[str, Callable[..., Done]] = {
        "enable": bulk.enable_policies,
        "disable": bulk.disable_policies,
        "delete": bulk.delete_policies,
    }
    if verb not in writes:
        raise Invalid([FieldError("/do", f"This must be one of {', '.join(_VERBS)} and copy.")])
    return writes[verb]


def _copy(request: PortalRequest, ids: list[UUID]) -> HttpResponse:
    there = address("policies:policy-copy", request.organization) + f"?ids={','.join(map(str, ids))}"
    if not request.htmx:
        return redirect(there)
    answer = HttpResponse()
    answer["HX-Redirect"] = there
    return answer


def _dialog(request: PortalRequest, verb: str, ids: list[UUID], *, refused: NotAll | None = None) -> HttpResponse:
    """Ask before it is done, or say which of them cannot be changed so and offer the others."""
    stuck = {one.id for one in refused.obstacles} if refused else set()
    context: dict[str, Any] = {
        "verb": verb,
        "words": _VERBS.get(verb, verb),
        "refused": refused,
        "rest": [one for one in ids if one not in stuck],
        "count": len(ids),
        "named": queries.policies(request.reach).filter(id__in=ids)[:_NAMED],
        "more": max(0, len(ids) - _NAMED),
        "status": request.POST.get("status", ""),
        "statuses": Status.choices,
        "back": list_address(request),
    }
    if not request.htmx:
        return respond(request, "policies/bulk.html", context, status=422 if refused else 200)
    answer = respond(request, "policies/bulk.html#dialog", context, status=422 if refused else 200)
    answer["HX-Retarget"], answer["HX-Reswap"] = "#dialog", "innerHTML"
    return answer
