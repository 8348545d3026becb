"""How this floor shows itself on the page of a computer: its mode, and what it obeys."""

from __future__ import annotations

from typing import Any

from policies import modes
from policies.compile import load_places
from policies.models import SettingName
from policies.settings import unset_value
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer
from portal.tenants.reach import Reach


def computer_panel(reach: Reach, computer: Computer) -> tuple[str, dict[str, Any]]:
    """The panel's template and what it draws: the mode in force, its own window, the setting on built-ins."""
    places = load_places(reach, computer.organization_id)
    settings = places.settings_of(computer)
    context = {
        "computer": computer,
        "in_force": places.mode_of(computer),
        "own": modes.mode_state(reach, "computer", computer.id),
        "builtin_first": settings.prioritize_builtin,
        "builtin_from": settings.prioritize_from,
        "checkin_seconds": settings.checkin_seconds or unset_value(SettingName.CHECKIN_SECONDS),
        "checkin_from": settings.checkin_from,
        "log_permits": settings.log_permits,
        "log_from": settings.log_from,
        "may_set_mode": reach.can(Capability.MODE_WRITE, computer.organization_id),
    }
    return "policies/computer_panel.html", context
