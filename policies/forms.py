"""Shapes of what people type about policies, applications and file rules. Rules live in the activities."""

from __future__ import annotations

from typing import Any

from django import forms

from policies.choices import Grouped
from portal.tenants.models import Mode, OperatingSystem


def _text(label: str, limit: int, **kwargs: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=limit, required=False, **kwargs)


class DefaultForm(forms.Form):
    """All that may be changed about a group's default."""

    allow_request = forms.BooleanField(required=False, label="People may ask for what it denies")
    log = forms.BooleanField(required=False, label="Write each match to the Unified Audit")


class MoveForm(forms.Form):
    """Where to: a number, or beside another policy."""

    where = forms.ChoiceField(choices=[("before", "Before"), ("after", "After"), ("order", "At the number")])
    other = forms.ChoiceField(required=False, label="Policy")
    order = forms.IntegerField(required=False, label="Order")

    def __init__(self, *args: Any, neighbours: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["other"].choices = neighbours  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("where") == "order" and data.get("order") is None:
            self.add_error("order", "Give the number.")
        if data.get("where") in ("before", "after") and not data.get("other"):
            self.add_error("other", "Choose a policy.")
        return data


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
    reason = _text("Reason", 1000)
    ticket = _text("Ticket", 120)

    def __init__(self, *args: Any, applications: Grouped, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["application"].choices = [("", "Not said"), *applications]  # type: ignore[attr-defined]


class PolicyFilter(forms.Form):
    """The query string of the policies list; values that make no sense are left out."""

    q = _text("Filter", 120)
    scope = _text("Scope", 20)
    target = _text("Target", 100)
    effective_for = _text("Computer", 100)
    effective_in = _text("Group", 100)
    application = _text("Application", 100)
    include_disabled = forms.BooleanField(required=False)

    def asked(self) -> dict[str, Any]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}


class ApplicationForm(forms.Form):
    """A custom application; its system is fixed once it is made."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}))
    os = forms.ChoiceField(choices=OperatingSystem.choices, label="System")
    publisher = _text("Publisher", 120)
    description = _text("Description", 2000, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new:
            del self.fields["os"]


class RuleForm(forms.Form):
    """One file rule; an empty box is not looked at. Text is kept as typed, so that positions stay true."""

    hash = _text("Hash", 200, strip=False)
    path = _text("Path", 4096, strip=False)
    process = _text("Process", 4096, strip=False)
    created_by = _text("Created By", 4096, strip=False)
    certificate = _text("Signer", 4096, strip=False)
    note = _text("Note", 500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for box in self.conditions:
            box.field.widget.attrs["placeholder"] = "not looked at"

    @property
    def conditions(self) -> list[forms.BoundField]:
        return [self[name] for name in ("path", "process", "created_by", "certificate", "hash")]


class TryForm(forms.Form):
    """Facts to try an application with."""

    path = _text("Path", 4096)
    sha256 = _text("Hash", 64)
    process = _text("Process", 4096)
    created_by = _text("Created By", 4096)
    certificate = _text("Signer", 4096)


class ApplicationFilter(forms.Form):
    """The query string of the applications list; values that make no sense are left out."""

    q = _text("Filter", 120)
    kind = forms.ChoiceField(choices=[("", ""), ("builtin", "Built-in"), ("custom", "Custom")], required=False)
    os = forms.ChoiceField(choices=[("", ""), *OperatingSystem.choices], required=False)
    include_hidden = forms.BooleanField(required=False)

    def asked(self) -> dict[str, Any]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in ("", None)}
