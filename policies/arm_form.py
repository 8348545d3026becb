"""The form of the arm switch."""

from __future__ import annotations

from typing import Any

from django import forms


class ArmForm(forms.Form):
    """Until when a disabled policy is on: for a while, or until a time in the organization's zone."""

    until = forms.CharField(initial="30m", max_length=40)
    time = forms.CharField(
        label="Time of day", max_length=5, required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    moment = forms.CharField(
        label="Day and time",
        max_length=16,
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    deploy = forms.BooleanField(required=False, initial=True, label="Send it to its computers now")

    CHOICES = (
        ("30m", "30 minutes", "", ""),
        ("2h", "2 hours", "", ""),
        ("time", "Until a time", "", ""),
        ("moment", "Until a day and time", "", ""),
    )

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = zone

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("until") in ("time", "moment") and not data.get(data["until"]):
            self.add_error(data["until"], "Say until when.")
        return data

    def end(self) -> str:
        """The end as `arming.read_until` takes it."""
        chosen: str = self.cleaned_data["until"]
        return str(self.cleaned_data[chosen]) if chosen in ("time", "moment") else chosen
