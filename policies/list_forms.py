"""Shapes of what the policies list is asked: its filters, and where to move a policy."""

from __future__ import annotations

from typing import Any

from django import forms

from policies.forms import QueryForm, text_field
from policies.listing import PolicyTerms
from policies.models import Action, Level, Status

_LABELS: dict[str, dict[Any, Any]] = {
    "ringfence": {"yes": "Ringfenced", "no": "Not ringfenced"},
    "matched": {"unused": "No match for 6 weeks", "never": "Never matched"},
    "action": dict(Action.choices),
    "status": {value: f"Status {str(label).lower()}" for value, label in Status.choices},
    "expiring": {True: "Expires within 14 days"},
    "mine": {True: "Mine"},
    "armed": {True: "Armed"},
}
FILTERS = ("action", "status", "ringfence", "matched", "expiring", "mine", "armed", "application", "q")


def _choice(label: str, choices: Any, anything: str = "Any") -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", anything), *choices], required=False)


class PolicyFilter(QueryForm):
    """The query string of the policies list; values that make no sense are left out."""

    q = text_field("Filter", 120)
    scope = _choice("Scope", Level.choices)
    target = text_field("Target", 100)
    effective_for = text_field("Computer", 100)
    effective_in = text_field("Group", 100)
    application = text_field("Application", 100)
    include_disabled = forms.BooleanField(required=False)
    action = _choice("Action", Action.choices)
    status = _choice("Status", Status.choices)
    ringfence = _choice("Ringfence", _LABELS["ringfence"].items())
    matched = _choice("Use", _LABELS["matched"].items())
    expiring = forms.BooleanField(required=False, label="Expires within 14 days")
    mine = forms.BooleanField(required=False, label="Mine: owned or created by me")
    armed = forms.BooleanField(required=False, label="Armed now")

    def terms(self, organization_id: str = "") -> PolicyTerms:
        return PolicyTerms(**self.asked(), organization=organization_id)


def chip_texts(asked: dict[str, Any], application: str = "") -> list[tuple[str, str]]:
    """(name of the filter, what a person calls it) of the filters in force."""
    found = []
    for name in FILTERS:
        if name not in asked:
            continue
        if name == "application":
            found.append((name, f"Application {application}"))
        elif name == "q":
            found.append((name, f"“{asked['q']}”"))
        else:
            found.append((name, str(_LABELS[name][asked[name]])))
    return found


class MoveForm(forms.Form):
    """Where to: beside another policy, at a place counted from the first one of its kind, or at a number."""

    where = forms.ChoiceField(
        label="Where",
        choices=[
            ("before", "Before the policy"), ("after", "After the policy"), ("position", "At position"),
            ("order", "At the order number"),
        ],
    )  # fmt: skip
    other = forms.ChoiceField(required=False, label="Policy")
    number = forms.IntegerField(required=False, label="Position or order number", min_value=1)

    def __init__(self, *args: Any, neighbours: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["other"].choices = neighbours  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("where") in ("position", "order") and data.get("number") is None:
            self.add_error("number", "Give the number.")
        if data.get("where") in ("before", "after") and not data.get("other"):
            self.add_error("other", "Choose a policy.")
        return data

    def place(self) -> str:
        """What was chosen, as `places.read_place` reads it."""
        data = self.cleaned_data
        by_number = data["where"] in ("position", "order")
        return f"{data['where']}:{data['number'] if by_number else data['other']}"
