"""REST views of agent settings, modes and pending changes."""

from __future__ import annotations

from typing import ClassVar

from django.urls import reverse
from rest_framework.response import Response

from policies import changes, modes, queries, settings
from policies.api import serializers as shapes
from policies.api import setting_shapes
from policies.models import AgentSetting
from policies.modes import ModeDraft, ModeState, TargetLevel
from policies.placing import Placement
from policies.scopes import find_scope
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Mode

_READ, _WRITE = Capability.POLICY_READ, Capability.SETTING_WRITE


class SettingList(PortalAPIView):
    """Agent settings, lowest order first: of several that apply to a computer the first one wins."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": setting_shapes.SettingBody}
    answer = {"GET": setting_shapes.SettingAnswer}
    query = setting_shapes.SettingQuery
    lists = True
    examples = {
        "POST": (
            {
                "scope": {"level": "organization", "target": "able-moose-accounting"},
                "name": "prioritize_builtin_applications",
                "value": False,
            },
            None,
        )
    }

    def get(self, request: PortalAPIRequest) -> Response:
        found = queries.settings_listed(request.reach, **self.asked())
        return self.listing(found, ("order", "id"))

    def post(self, request: PortalAPIRequest) -> Response:
        """Set a value at a scope, at the bottom of the list unless `place` is top."""
        wanted = self.parsed()
        scope = find_scope(request.reach, wanted["scope"]["level"], wanted["scope"]["target"]).scope
        place = Placement(wanted.get("place", "bottom"))
        made = settings.create_setting(
            request.reach, scope=scope, name=wanted["name"], value=wanted["value"], place=place
        )
        return self.one(
            queries.agent_setting(request.reach, made.id), location=reverse("api:setting-detail", args=[made.id])
        )


class EffectiveSettings(PortalAPIView):
    """What holds at one computer, in one group, or in an organization as far as nothing nearer is set."""

    needs = {"GET": _READ}
    answer = {"GET": setting_shapes.EffectiveSettings}
    query = setting_shapes.EffectiveQuery

    def get(self, request: PortalAPIRequest) -> Response:
        asked, reach = self.asked(), request.reach
        found = settings.effective(
            reach,
            computer=tenants.computer(reach, asked["computer"]) if "computer" in asked else None,
            group=tenants.group(reach, asked["group"]) if "group" in asked else None,
            organization=tenants.organization(reach, asked["organization"]) if "organization" in asked else None,
        )
        return self.one({"settings": found})


class SettingDetail(PortalAPIView):
    """One agent setting."""

    needs = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}
    body = {"PATCH": setting_shapes.SettingChange}
    answer = {"GET": setting_shapes.SettingAnswer}

    def current(self, request: PortalAPIRequest, setting_id: str) -> AgentSetting:
        return queries.agent_setting(request.reach, setting_id)

    def get(self, request: PortalAPIRequest, setting_id: str) -> Response:
        return self.one(self.current(request, setting_id))

    def patch(self, request: PortalAPIRequest, setting_id: str) -> Response:
        """Change the value."""
        found = self.current(request, setting_id)
        settings.update_setting(request.reach, found.id, value=self.parsed().get("value", found.value))
        return self.one(self.current(request, setting_id))

    def delete(self, request: PortalAPIRequest, setting_id: str) -> Response:
        """Remove the setting from its scope."""
        settings.delete_setting(request.reach, self.current(request, setting_id).id)
        return self.gone()


class SettingMove(PortalAPIView):
    """Another place in the list."""

    needs = {"POST": _WRITE}
    body = {"POST": setting_shapes.SettingMoveBody}
    answer = {"GET": setting_shapes.SettingAnswer}

    def current(self, request: PortalAPIRequest, setting_id: str) -> AgentSetting:
        return queries.agent_setting(request.reach, setting_id)

    def post(self, request: PortalAPIRequest, setting_id: str) -> Response:
        """Move it to the top or the bottom, before or after another one."""
        found = self.current(request, setting_id)
        settings.move_setting(request.reach, found.id, place=setting_shapes.placement(self.parsed()))
        return self.one(self.current(request, setting_id))


class _ModeView(PortalAPIView):
    needs: ClassVar = {}
    level: ClassVar[TargetLevel]

    def current(self, request: PortalAPIRequest, reference: str) -> ModeState:
        return modes.mode_state(request.reach, self.level, reference)


class ComputerMode(_ModeView):
    """The mode of one computer."""

    level = "computer"
    needs = {"GET": Capability.COMPUTER_READ, "PUT": Capability.MODE_WRITE, "DELETE": Capability.MODE_WRITE}
    body = {"PUT": shapes.ModeBody}
    answer = {"GET": shapes.ModeAnswer}
    examples = {"PUT": ({"mode": "learning", "ends_at": "2026-12-12T15:00:00Z", "reason": "New scanner"}, None)}

    def get(self, request: PortalAPIRequest, reference: str) -> Response:
        return self.one(self.current(request, reference))

    def put(self, request: PortalAPIRequest, reference: str) -> Response:
        """Put the computer into a mode until an end that it keeps by itself. Takes effect when deployed."""
        return self.one(modes.set_mode(request.reach, self.level, reference, draft=_draft(self)))

    def delete(self, request: PortalAPIRequest, reference: str) -> Response:
        """Back to secured."""
        modes.end_mode(request.reach, self.level, reference)
        return self.gone()


class GroupMode(_ModeView):
    """The mode of all computers of a group that have none of their own."""

    level = "group"
    needs = ComputerMode.needs
    body = ComputerMode.body
    answer = ComputerMode.answer

    def get(self, request: PortalAPIRequest, reference: str) -> Response:
        return self.one(self.current(request, reference))

    def put(self, request: PortalAPIRequest, reference: str) -> Response:
        """Put the group into a mode until an end that its computers keep by themselves. Takes effect when deployed."""
        return self.one(modes.set_mode(request.reach, self.level, reference, draft=_draft(self)))

    def delete(self, request: PortalAPIRequest, reference: str) -> Response:
        """Back to secured."""
        modes.end_mode(request.reach, self.level, reference)
        return self.gone()


def _draft(view: PortalAPIView) -> ModeDraft:
    wanted = view.parsed()
    return ModeDraft(**{**wanted, "mode": Mode(wanted["mode"])})


class ChangeList(PortalAPIView):
    """What was saved, changes some bundle and is not deployed yet; newest first."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.ChangeAnswer}
    query = shapes.ChangeQuery
    lists = True

    def get(self, request: PortalAPIRequest) -> Response:
        wanted = self.asked().get("organization")
        only = [tenants.organization(request.reach, wanted).id] if wanted else None
        return self.listing(changes.pending(request.reach, only), ("-number",))
