"""Shapes of what people type about policies, applications and file rules. Rules live in the activities."""

from __future__ import annotations

from typing import Any

from django import forms

from policies.choices import Grouped
from portal.tenants.models import Mode


def text_field(label: str, limit: int, **kwargs: Any) -> forms.CharField:
    """A box that may stay empty."""
    return forms.CharField(label=label, max_length=limit, required=False, **kwargs)


class QueryForm(forms.Form):
    """The query string of a list; values that make no sense are left out."""

    def asked(self) -> dict[str, Any]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None, False)}


class DefaultForm(forms.Form):
    """All that may be changed about a group's default."""

    allow_request = forms.BooleanField(required=False, label="People may ask for what it denies")
    log = forms.BooleanField(required=False, label="Write each match to the Unified Audit")


class ModeForm(forms.Form):
    """A mode and for how long. Learning and installation need an end."""

    mode = forms.ChoiceField(choices=[choice for choice in Mode.choices if choice[0] != Mode.SECURED])
    lasts = forms.TypedChoiceField(
        coerce=int,
        choices=[
            (60, "1 hour"), (240, "4 hours"), (480, "8 hours"), (1440, "1 day"), (10080, "7 days"),
            (30240, "21 days"), (0, "Until it is ended (monitor only)"),
        ],
    )  # fmt: skip
    application = forms.ChoiceField(required=False, label="What is being installed or learned")
    reason = text_field("Reason", 1000)
    ticket = text_field("Ticket", 120)

    def __init__(self, *args: Any, applications: Grouped, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["application"].choices = [("", "Not said"), *applications]  # type: ignore[attr-defined]
