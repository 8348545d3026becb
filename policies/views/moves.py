"""Moving a policy: at once, or after the renumbering that it needs was looked at."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from policies import places
from policies.list_forms import MoveForm
from policies.models import Policy, UndoStep
from policies.moving import RenumberingUnseen, reorder_policy
from policies.rows import may_write
from policies.views.policies import after_write, list_address, own_policy, terms_of
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants.capabilities import Capability

_DIGITS = 9


def _proposed(request: PortalRequest, policy: Policy) -> dict[str, Any]:
    """Where the form first stands: before the policy that the address names, if it names one."""
    named = {key: request.GET[key] for key in ("where", "other") if request.GET.get(key)}
    return {"number": policy.order, "where": "before", **named}


@require_safe
@needs(Capability.POLICY_READ)
def policy_menu(request: PortalRequest, policy: UUID) -> HttpResponse:
    """What can be done with one policy: the menu of its row, or a page of it."""
    found = own_policy(request, policy)
    context = {"policy": found, "may_write": may_write(request.reach, found), "back": list_address(request)}
    return respond(request, "policies/row_menu.html", context, fragments={"row-menu"})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_move(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Move a policy: at once when `place` is sent, else ask where to."""
    found = own_policy(request, policy)
    if request.method == "POST" and "place" in request.POST:
        return _move(request, found, request.POST["place"])
    neighbours = places.nearest_choices(request.reach, request.organization, found)
    form = MoveForm(request.POST or None, neighbours=neighbours, initial=_proposed(request, found))
    if request.method == "POST" and form.is_valid():
        return _move(request, found, form.place())
    context = {"form": form, "policy": found, "back": list_address(request)}
    return respond(request, "policies/move.html", context, fragments={"dialog"}, status=422 if form.errors else 200)


def _move(request: PortalRequest, policy: Policy, wanted: str) -> HttpResponse:
    """`seen` is the order the person saw it at; `agreed` names the renumbering that was looked at."""
    seen = request.POST.get("seen", "")

    def write() -> UndoStep | None:
        return reorder_policy(
            request.reach,
            policy.id,
            place=places.place_in(request.reach, terms_of(request), policy, wanted),
            seen_order=int(seen) if seen.isdecimal() and len(seen) <= _DIGITS else None,
            agreed=request.POST.get("agreed", ""),
        ).step

    try:
        return after_write(request, write)
    except RenumberingUnseen as asked:
        return _ask(request, policy, wanted, asked)


def _ask(request: PortalRequest, policy: Policy, wanted: str, asked: RenumberingUnseen) -> HttpResponse:
    context = {"policy": policy, "place": wanted, "asked": asked, "back": list_address(request)}
    if not request.htmx:
        return respond(request, "policies/renumber.html", context)
    answer = respond(request, "policies/renumber.html#dialog", context)
    answer["HX-Retarget"], answer["HX-Reswap"] = "#dialog", "innerHTML"
    return answer
