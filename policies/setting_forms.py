"""Shapes of what people type about agent settings."""

from __future__ import annotations

from typing import Any

from django import forms

from policies.choices import Grouped
from policies.models import AgentSetting, SettingName
from policies.models.settings import SWITCHES
from policies.settings import FASTEST_CHECKIN, SLOWEST_CHECKIN

MEANS = {
    SettingName.PRIORITIZE_BUILTIN: "On: policies on built-in applications are evaluated first. Off: those on custom "
    "applications are. Without the setting, built-ins come first. The Default Deny is always last.",
    SettingName.CHECKIN_SECONDS: f"Seconds between check-ins of an idle computer, {FASTEST_CHECKIN} to "
    f"{SLOWEST_CHECKIN}. A deployment wakes computers at once whatever this says.",
    SettingName.LOG_PERMITS: "Off: runs that are plainly permitted are not reported; denials always are. "
    "Match counts and the audit then lack what was permitted.",
}


class SettingForm(forms.Form):
    """A setting: which, where, its value, its place in the list. An existing one changes its value only."""

    name = forms.ChoiceField(label="Setting", choices=SettingName.choices)
    scope = forms.ChoiceField(label="Where")
    switch = forms.ChoiceField(label="Value", choices=[("on", "On"), ("off", "Off")], required=False, initial="on")
    seconds = forms.IntegerField(label="Seconds", required=False, min_value=FASTEST_CHECKIN, max_value=SLOWEST_CHECKIN)
    place = forms.ChoiceField(label="Place", required=False, initial="bottom")

    def __init__(self, data: Any, *, scopes: Grouped, others: list[AgentSetting], initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        self.fields["scope"].choices = scopes  # type: ignore[attr-defined]
        after = [(f"after:{one.id}", f"After {one.order:,} {one} ({one.target_name})") for one in others]
        self.fields["place"].choices = [  # type: ignore[attr-defined]
            ("bottom", "Add to Bottom"),
            ("top", "Add to Top"),
            *after,
        ]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        name = data.get("name", "")
        if name == SettingName.CHECKIN_SECONDS and data.get("seconds") is None and "seconds" not in self.errors:
            self.add_error("seconds", "Give the seconds.")
        data["value"] = _value(name, data)
        return data


class SettingChangeForm(forms.Form):
    """Another value of an existing setting."""

    switch = forms.ChoiceField(label="Value", choices=[("on", "On"), ("off", "Off")])
    seconds = forms.IntegerField(label="Seconds", min_value=FASTEST_CHECKIN, max_value=SLOWEST_CHECKIN)

    def __init__(self, data: Any, *, setting: AgentSetting) -> None:
        now = {"switch": "on" if setting.value else "off", "seconds": setting.value}
        super().__init__(data, initial=now)
        del self.fields["seconds" if setting.name in SWITCHES else "switch"]
        self.setting = setting

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        data["value"] = _value(self.setting.name, data)
        return data


def _value(name: str, data: dict[str, Any]) -> Any:
    return data.get("switch") == "on" if name in SWITCHES else data.get("seconds")
