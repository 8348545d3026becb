"""Shapes of what people type about organizations and groups. Rules live in the activities."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms

from portal.tenants.models import Color, Mode, OperatingSystem

_ZONES = [(z, z) for z in ["UTC", *sorted(n for n in zoneinfo.available_timezones() if "/" in n)]]
_COLORS = [(color.value, color.value.capitalize()) for color in Color]


class OrganizationForm(forms.Form):
    """`parents`: (id, name) of the organizations beneath which one may be created; none when changing one."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}))
    slug = forms.SlugField(
        max_length=60, required=False, help_text="Part of every address. Made from the name when empty."
    )
    parent = forms.ChoiceField(label="Beneath")
    time_zone = forms.ChoiceField(choices=_ZONES, initial="UTC", help_text="Schedules of policies follow it.")
    color = forms.ChoiceField(choices=[("", "Next free"), *_COLORS], required=False)

    def __init__(self, *args: Any, parents: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if parents:
            self.fields["parent"].choices = parents  # type: ignore[attr-defined]
        else:
            del self.fields["parent"]


class GroupForm(forms.Form):
    """A new group; `may_act_globally` offers the global kind."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}))
    os = forms.ChoiceField(choices=OperatingSystem.choices, label="System")
    initial_learning_days = forms.IntegerField(
        min_value=0, max_value=365, initial=21, label="Days of learning", help_text="For computers that join. 0: none."
    )
    is_global = forms.BooleanField(
        required=False, label="Global group", help_text="Holds the computers of every organization beneath, by rule."
    )
    name_prefix = forms.CharField(
        max_length=120,
        required=False,
        label="Only groups whose name begins with",
        help_text="For a global group. Empty: all of its system.",
    )

    def __init__(self, *args: Any, may_act_globally: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_act_globally:
            del self.fields["is_global"], self.fields["name_prefix"]


class GroupChangeForm(forms.Form):
    """What may still change: its system and its kind may not."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(max_length=60)
    initial_learning_days = forms.IntegerField(min_value=0, max_value=365, label="Days of learning")
    name_prefix = forms.CharField(max_length=120, required=False, label="Only groups whose name begins with")

    def __init__(self, *args: Any, is_global: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_global:
            del self.fields["name_prefix"]


class MoveForm(forms.Form):
    """`groups`: (id, name) of the groups that the computer may go to."""

    group = forms.ChoiceField(label="Group")

    def __init__(self, *args: Any, groups: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].choices = groups  # type: ignore[attr-defined]


class ComputerFilter(forms.Form):
    """The query string of the computers list."""

    q = forms.CharField(required=False, max_length=120)
    group = forms.CharField(required=False, max_length=100)
    os = forms.ChoiceField(choices=[("", ""), *OperatingSystem.choices], required=False)
    mode = forms.ChoiceField(choices=[("", ""), *Mode.choices], required=False)
    silent_days = forms.IntegerField(min_value=0, max_value=3650, required=False)

    def asked(self) -> dict[str, Any]:
        """What is filtered by; values that make no sense are left out."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}


class EntryFilter(forms.Form):
    """The query string of the System Audit."""

    q = forms.CharField(required=False, max_length=120)
    verb = forms.CharField(required=False, max_length=64)
    actor = forms.CharField(required=False, max_length=64)
    target = forms.CharField(required=False, max_length=64)
    since = forms.DateTimeField(required=False)
    until = forms.DateTimeField(required=False)

    def asked(self) -> dict[str, Any]:
        """What is filtered by; values that make no sense are left out."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
