"""Shapes of what people type about baselines and exceptions. Rules live in the activities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from policies.models import ExceptionKind
from portal.tenants.models import OperatingSystem

KIND_CHOICES = (
    (ExceptionKind.WITHOUT.value, "Left out here", "deny", "x"),
    (ExceptionKind.CHANGED.value, "Changed here", "ask", "pencil"),
)


class BaselineForm(forms.Form):
    """A baseline. Its system is fixed once it is made."""

    name = forms.CharField(label="Name", max_length=100, help_text="Workstations, for example.")
    os = forms.ChoiceField(label="System", choices=OperatingSystem.choices)
    description = forms.CharField(
        label="Description", max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    group_name = forms.CharField(
        label="Followed at the group called",
        max_length=120,
        required=False,
        help_text="Servers, for example: its policies then stand at that group of each customer. Empty: at the "
        "organization, for all of its computers.",
    )
    new_customers = forms.BooleanField(
        label="Every new customer follows it",
        required=False,
        help_text="From the moment the organization, or its group of that name, is made.",
    )

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new:
            del self.fields["os"]


class FollowForm(forms.Form):
    """Which organizations follow a baseline from now on."""

    followers = forms.MultipleChoiceField(
        label="Organizations",
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        error_messages={"required": "Choose at least one."},
    )

    def __init__(self, *args: Any, followers: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["followers"].choices = followers  # type: ignore[attr-defined]


class ReviewForm(forms.Form):
    """Why one customer has it otherwise, and when somebody looks at it again."""

    reason = forms.CharField(label="Why", max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))
    review_on = forms.DateField(
        label="Look at it again on",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Within a year. It is shown on the dashboard from that day on.",
    )


class ExceptionForm(ReviewForm):
    """An exception to be made."""

    kind = forms.ChoiceField(label="How", choices=ExceptionKind.choices, initial=ExceptionKind.WITHOUT)


class CarryForm(forms.Form):
    """Publishing what a template says now."""

    note = forms.CharField(label="What is new", max_length=300, required=False)
