"""Shapes of what people type on the pages of this app. Rules live in the activities."""

from __future__ import annotations

import zoneinfo
from typing import Any

from django import forms

from portal.accounts.models import Role

_NEW_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password", "maxlength": 200})


def time_zones() -> list[tuple[str, str]]:
    """Every time zone, UTC first."""
    names = sorted(zoneinfo.available_timezones() - {"UTC", "localtime", "Factory"})
    return [("UTC", "UTC"), *((name, name) for name in names if "/" in name)]


class NewPasswordForm(forms.Form):
    """One field, no repetition: it may be pasted and shown, and a password manager fills it."""

    password = forms.CharField(
        max_length=200, strip=False, widget=_NEW_PASSWORD, help_text="At least 12 characters; a sentence is fine."
    )


class SetUpForm(forms.Form):
    token = forms.CharField(
        max_length=80,
        label="Set-up token",
        help_text="The server prints it: manage.py setup_token.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    organization = forms.CharField(
        max_length=120, label="Your organization", help_text="The provider, e.g. Northwind IT."
    )
    time_zone = forms.ChoiceField(choices=time_zones)
    name = forms.CharField(max_length=120, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = forms.EmailField(
        max_length=254, label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = forms.CharField(
        max_length=200, strip=False, widget=_NEW_PASSWORD, help_text="At least 12 characters; a sentence is fine."
    )


class ProfileForm(forms.Form):
    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    time_zone = forms.ChoiceField(choices=time_zones, required=False, help_text="Times are shown in it.")


class InviteForm(forms.Form):
    """`organizations`: those where the actor may change people, as (slug, name)."""

    email = forms.EmailField(max_length=254, label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(max_length=120)
    organization = forms.ChoiceField()
    role = forms.ChoiceField(choices=Role.choices)
    may_act_globally = forms.BooleanField(required=False, label="May act globally", help_text="Technicians only.")

    def __init__(self, *args: Any, organizations: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].choices = organizations  # type: ignore[attr-defined]


class RoleForm(forms.Form):
    """A role at one of `organizations`, (slug, name)."""

    organization = forms.ChoiceField()
    role = forms.ChoiceField(choices=Role.choices)
    may_act_globally = forms.BooleanField(required=False, label="May act globally")

    def __init__(self, *args: Any, organizations: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].choices = organizations  # type: ignore[attr-defined]


class TokenForm(forms.Form):
    """`organizations` as (slug, name) and `capabilities` as (value, value): what the actor has themselves."""

    name = forms.CharField(max_length=120, help_text="What it is for, e.g. nightly report.")
    organizations = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}))
    capabilities = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}))
    days = forms.TypedChoiceField(
        coerce=int,
        choices=[(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year")],
        initial=30,
        label="Ends after",
    )

    def __init__(
        self, *args: Any, organizations: list[tuple[str, str]], capabilities: list[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organizations"].choices = organizations  # type: ignore[attr-defined]
        self.fields["capabilities"].choices = capabilities  # type: ignore[attr-defined]
