"""Agent settings on screen: the ordered list, what holds where, and each change with those it would alter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from policies import choices, queries, settings
from policies.evaluation.question import find_place, places_like
from policies.models import AgentSetting, Level, SettingName
from policies.placing import Placement
from policies.scopes import Scope, find_scope, scope_of
from policies.setting_effects import Effects, effects
from policies.setting_forms import MEANS, SettingChangeForm, SettingForm
from portal.common.errors import NotFound, PortalError, Refused
from portal.common.forms import put_errors
from portal.common.htmx import PortalRequest, needs, respond
from portal.common.templatetags.portcullis import address
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer

_CHANGED = ("changes-made", "settings-changed")
_FRAGMENTS = frozenset({"setting-table", "effective", "place-names"})


@require_safe
@needs(Capability.POLICY_READ)
def setting_list(request: PortalRequest) -> HttpResponse:
    """The settings of an organization and the global ones above it, and what holds at a place (`?where=`)."""
    return _list(request)


def _list(request: PortalRequest, *, fault: str = "", status: int = 200, events: tuple[str, ...] = ()) -> HttpResponse:
    reach, organization = request.reach, request.organization
    if request.htmx.target == "place-names":
        context: dict[str, Any] = {"places": places_like(reach, organization, request.GET.get("where", ""))}
        return respond(request, "policies/settings.html", context, fragments=_FRAGMENTS)
    rows = list(queries.settings_listed(reach, organization=str(organization.id)))
    own = [row for row in rows if row.organization_id == organization.id]
    context = {
        "rows": [(row, _may_write(request, row), *_neighbours(own, row)) for row in rows],
        "fault": fault,
        "may_write": reach.can(Capability.SETTING_WRITE, organization.id),
        "places": places_like(reach, organization, ""),
        **_effective(request),
    }
    return respond(request, "policies/settings.html", context, fragments=_FRAGMENTS, status=status, events=events)


def _effective(request: PortalRequest) -> dict[str, Any]:
    """What holds at the place that is asked for; in the whole organization when none is."""
    where = request.GET.get("where", "").strip()
    if not where:
        return {"where": "", "found": settings.effective(request.reach, organization=request.organization)}
    try:
        target = find_place(request.reach, request.organization, where)
    except NotFound:
        return {"where": where, "found": [], "unknown": True}
    at = {"computer": target} if isinstance(target, Computer) else {"group": target}
    return {"where": target.name, "target": target, "found": settings.effective(request.reach, **at)}


def _may_write(request: PortalRequest, row: AgentSetting) -> bool:
    own = row.organization_id == request.organization.id
    may = request.reach.can(Capability.SETTING_WRITE, row.organization_id)
    return (
        own and may and (row.level != Level.GLOBAL or request.reach.can(Capability.GLOBAL_WRITE, row.organization_id))
    )


def _neighbours(own: list[AgentSetting], row: AgentSetting) -> tuple[UUID | None, UUID | None]:
    """The settings above and below in the organization's own list."""
    if row not in own:
        return None, None
    at = own.index(row)
    return (own[at - 1].id if at else None), (own[at + 1].id if at + 1 < len(own) else None)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.SETTING_WRITE)
def setting_create(request: PortalRequest) -> HttpResponse:
    """A new setting; the address may propose name, value and scope. `preview` tells whom it would alter."""
    reach, organization = request.reach, request.organization
    rows = list(queries.settings_listed(reach, organization=str(organization.id)))
    form = SettingForm(
        request.POST or None,
        scopes=choices.scope_choices(reach, organization),
        others=[row for row in rows if row.organization_id == organization.id],
        initial=_proposed(request),
    )

    def write() -> Any:
        data = form.cleaned_data
        scope = _scope(request, data["scope"])
        place = _place(data["place"] or "bottom")
        return settings.create_setting(reach, scope=scope, name=data["name"], value=data["value"], place=place)

    def scope() -> Scope:
        return _scope(request, form.cleaned_data["scope"])

    return _written(request, form, write, scope, {"means": [(name.label, text) for name, text in MEANS.items()]})


def _proposed(request: PortalRequest) -> dict[str, Any]:
    asked = request.GET
    found = {"name": SettingName.PRIORITIZE_BUILTIN.value, "scope": f"organization:{request.organization.id}"}
    found |= {key: asked[key] for key in ("name", "scope", "place") if asked.get(key)}
    return {**found, "switch": "off" if asked.get("value") == "off" else "on"}


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.SETTING_WRITE)
def setting_edit(request: PortalRequest, setting: UUID) -> HttpResponse:
    """Another value. `preview` tells whom it would alter."""
    found = _own(request, setting)
    form = SettingChangeForm(request.POST or None, setting=found)

    def write() -> Any:
        return settings.update_setting(request.reach, found.id, value=form.cleaned_data["value"])

    more = {"setting": found, "means": [(SettingName(found.name).label, MEANS[SettingName(found.name)])]}
    return _written(request, form, write, lambda: scope_of(found), more)


def _written(
    request: PortalRequest, form: Any, write: Callable[[], Any], scope: Callable[[], Scope], more: dict[str, Any]
) -> HttpResponse:
    """Ask, preview, or do it and go back to the list."""
    altered: Effects | None = None
    if request.method == "POST" and form.is_valid():
        try:
            if "preview" not in request.POST:
                write()
                return redirect(address("policies:setting-list", request.organization))
            altered = effects(request.reach, scope(), write)
        except PortalError as error:
            put_errors(form, error)
    context = {"form": form, "effects": altered, **more}
    status = 422 if form.errors else 200
    return respond(request, "policies/setting_form.html", context, fragments={"setting-effects"}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Capability.SETTING_WRITE)
def setting_delete(request: PortalRequest, setting: UUID) -> HttpResponse:
    """Remove a setting, after saying whom that alters."""
    found = _own(request, setting)

    def write() -> None:
        settings.delete_setting(request.reach, found.id)

    if request.method == "POST":
        return _after(request, write)
    context = {"setting": found, "effects": effects(request.reach, scope_of(found), write)}
    return respond(request, "policies/setting_delete.html", context, fragments={"dialog"})


@require_POST
@needs(Capability.SETTING_WRITE)
def setting_move(request: PortalRequest, setting: UUID) -> HttpResponse:
    """To the top, the bottom, before or after another one."""
    found = _own(request, setting)
    place = _place(request.POST.get("place", ""))
    return _after(request, lambda: settings.move_setting(request.reach, found.id, place=place))


def _after(request: PortalRequest, write: Callable[[], Any]) -> HttpResponse:
    try:
        write()
    except (Refused, PortalError) as error:
        if not request.htmx or error.status not in (409, 422):
            raise
        return _list(request, fault=error.message, status=error.status)
    if request.htmx:
        return _list(request, events=_CHANGED)
    return redirect(address("policies:setting-list", request.organization))


def _own(request: PortalRequest, setting: UUID) -> AgentSetting:
    """The setting of the organization in the address; one of another organization is not found under it."""
    found = queries.agent_setting(request.reach, setting)
    if found.organization_id != request.organization.id:
        raise NotFound
    return found


def _scope(request: PortalRequest, text: str) -> Scope:
    level, _, target = text.partition(":")
    return find_scope(request.reach, level, target).scope


def _place(text: str) -> Placement:
    """`top`, `bottom`, `before:<id>`, `after:<id>`. Raises Refused for anything else."""
    where, _, other = text.partition(":")
    if where in ("top", "bottom") and not other:
        return Placement("top" if where == "top" else "bottom")
    try:
        if where in ("before", "after"):
            return Placement("before" if where == "before" else "after", UUID(other))
    except ValueError:
        pass
    raise Refused("This is no place in the list.", pointer="/place")
