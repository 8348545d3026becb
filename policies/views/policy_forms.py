"""Creating and changing a policy on screen, and the name that is proposed while it is typed."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from policies import authoring, choices, drafting, notices, schedule_words, week
from policies.drafts import draft_of
from policies.forms import DefaultForm
from policies.linting.suggesting import fence_for
from policies.models import Action, Policy
from policies.moving import RenumberingUnseen
from policies.names import name_warning
from policies.notices.shown import notices_of
from policies.policy_form import ACTION_CHOICES, ENDS, PolicyForm, fence_initial, policy_initial
from policies.schedules import DAYS, PRESETS, window_values
from policies.views.policies import list_address, own_policy, read_place
from portal.common import clock
from portal.common.errors import PortalError
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.tenants.capabilities import Capability


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_create(request: PortalRequest) -> HttpResponse:
    """A new policy; the list's filters in the address propose its scope."""
    form = form_of(request, initial=_proposed(request))
    if _saves(request) and form.is_valid():
        try:
            place = read_place(form.cleaned_data["place"] or "bottom")
            draft = drafting.draft_from(request.reach, form.wanted())
            authoring.create_policy(request.reach, draft=draft, place=place, agreed=request.POST.get("agreed", ""))
            return redirect(list_address(request))
        except RenumberingUnseen as error:
            return _respond(request, form, asked=error)
        except PortalError as error:
            put_errors(form, error)
    return _respond(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.POLICY_WRITE)
def policy_edit(request: PortalRequest, policy: UUID) -> HttpResponse:
    """Change a policy; of a group's default only what may change."""
    found = own_policy(request, policy)
    if found.is_default:
        return _edit_default(request, found)
    initial = policy_initial(found, request.organization.time_zone)
    if request.GET.get("suggest") == "ringfence":
        initial |= fence_initial(fence_for(found))
    form = form_of(request, initial=initial, policy=found)
    if _saves(request) and form.is_valid():
        was = draft_of(found, [application.id for application in found.named_applications])
        try:
            draft = drafting.draft_from(request.reach, form.wanted(), base=was)
            authoring.update_policy(request.reach, found.id, draft=draft)
            return redirect(list_address(request))
        except PortalError as error:
            put_errors(form, error)
    return _respond(request, form, policy=found)


def _edit_default(request: PortalRequest, policy: Policy) -> HttpResponse:
    now = {"allow_request": policy.allow_request, "log": policy.log}
    form = DefaultForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        draft = drafting.draft_from(request.reach, form.cleaned_data, base=draft_of(policy, ()))
        authoring.update_policy(request.reach, policy.id, draft=draft)
        return redirect(list_address(request))
    context = {"form": form, "policy": policy, "back": list_address(request)}
    return respond(request, "policies/default_form.html", context, status=422 if form.errors else 200)


@require_safe
@needs(Capability.POLICY_WRITE)
def policy_schedule(request: PortalRequest) -> HttpResponse:
    """The week editor with one button pressed, or only what its rows mean by now."""
    rows = week.done_to(week.read_rows(request.GET), request.GET.get("schedule-do", ""))
    context = {"rows": rows, **_week(request, rows)}
    return respond(request, "policies/schedule.html", context, fragments={"week-words"})


def _saves(request: PortalRequest) -> bool:
    """Whether the form was sent to be saved: without scripts the buttons of the week editor send it too."""
    return request.method == "POST" and "schedule-do" not in request.POST


@require_safe
@needs(Capability.POLICY_WRITE)
def policy_name(request: PortalRequest) -> HttpResponse:
    """The name that a form's present content would get, or what is unusual about the one that was typed."""
    form = form_of(request, data=request.GET)
    form.is_valid()
    return respond(request, "policies/name_proposal.html", _naming(request, form))


def form_of(
    request: PortalRequest, *, initial: dict[str, Any] | None = None, policy: Policy | None = None, data: Any = None
) -> PolicyForm:
    """The form of a policy of this organization: as posted, else as `initial` or `data` says."""
    organization = request.organization
    people = notices.addressees(request.reach, organization.id)
    known = {address for address, _ in people}
    gone = [address for address in (policy.notify if policy else ()) if address not in known]
    return PolicyForm(
        data or (request.POST if request.method == "POST" else None),
        initial=initial,
        zone=organization.time_zone,
        scopes=choices.scope_choices(request.reach, organization, of=policy),
        applications=choices.application_choices(request.reach, organization, of=policy),
        neighbours=choices.neighbour_choices(request.reach, organization, moving=policy),
        people=[*people, *((address, f"{address} (not known to you here)") for address in gone)],
        is_new=policy is None,
        only_looked_at=request.method == "POST" and not _saves(request),
    )


def _proposed(request: PortalRequest) -> dict[str, Any]:
    """Scope and application that the address names: the list's filters, or a link from elsewhere."""
    found: dict[str, Any] = {}
    for name, level in (("effective_in", "group"), ("effective_for", "computer")):
        if request.GET.get(name):
            found["scope"] = f"{level}:{request.GET[name]}"
    if request.GET.get("scope") and request.GET.get("target"):
        found["scope"] = f"{request.GET['scope']}:{request.GET['target']}"
    found.setdefault("scope", f"organization:{request.organization.id}")
    if request.GET.get("application"):
        found["applications"] = [request.GET["application"]]
    return found


def _respond(
    request: PortalRequest, form: PolicyForm, *, policy: Policy | None = None, asked: RenumberingUnseen | None = None
) -> HttpResponse:
    """`asked`: which policies must be renumbered for this one; it is created once that was seen."""
    rows = week.done_to(form.week, request.POST.get("schedule-do", ""))
    context: dict[str, Any] = {
        "form": form,
        "policy": policy,
        "asked": asked,
        "rows": rows,
        "ends": ENDS,
        "notices": notices_of(request.reach, policy.id) if policy else (),
        "actions": ACTION_CHOICES,
        "action": form["action"].value() or Action.PERMIT,
        "back": list_address(request),
        **_naming(request, form),
        **_week(request, rows),
    }
    return respond(request, "policies/form.html", context, status=422 if form.errors or asked else 200)


def _week(request: PortalRequest, rows: list[week.TypedRow]) -> dict[str, Any]:
    """What the editor shows beside its rows; those that are not right yet mean nothing so far."""
    zone = ZoneInfo(request.organization.time_zone)
    windows = window_values(week.readable(rows))
    told = schedule_words.told(windows, zone, clock.now())
    return {"told": told, "zone": zone.key, "days": tuple(enumerate(DAYS)), "presets": PRESETS}


def _naming(request: PortalRequest, form: PolicyForm) -> dict[str, str]:
    """`proposal`: the name it gets when none is typed. `warning`: how a typed one breaks the convention."""
    scope = str(form["scope"].value() or "")
    level, _, target = scope.partition(":")
    typed = str(form["name"].value() or "").strip()
    chosen = form["applications"].value() or ()
    action = str(form["action"].value() or Action.PERMIT)
    known = form.fields["scope"].valid_value(scope)  # type: ignore[attr-defined]
    if not known:
        return {"proposal": "", "warning": ""}
    proposal = drafting.name_for(request.reach, level, target, chosen, action)
    return {"proposal": proposal, "warning": name_warning(typed, drafting.level_of(level)) if typed else ""}
