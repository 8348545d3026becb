"""The form of a policy: every field as a person types it, and its way to the names of the API and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.forms.utils import ErrorDict

from policies.choices import Grouped
from policies.forms import text_field
from policies.models import Action, Policy, Status
from policies.ringfence import LEVERS, MODES
from policies.week import TypedRow, WeekField, readable, typed_rows
from portal.common import clock

ACTION_CHOICES = (
    ("permit", "Permit", "permit", "check"),
    ("permit_ringfenced", "Permit, ringfenced", "fence", "grid-4x4"),
    ("deny", "Deny", "deny", "x"),
)
ENDS = (
    ("never", "Never", "", ""),
    ("1h", "In 1 hour", "", ""),
    ("1d", "In 1 day", "", ""),
    ("1w", "In 1 week", "", ""),
    ("until", "On a day", "", ""),
)
_AFTER = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "1w": timedelta(weeks=1)}
_LEVER_LABELS = {
    "child_processes": "Programs it may start",
    "files": "Files it may touch",
    "network": "Destinations it may reach",
    "registry": "Registry keys it may write",
}
_MODE_LABELS = {"off": "Off", "log_only": "Log only", "enforce": "Enforce"}
_MOMENT = "%Y-%m-%dT%H:%M"
_PLAIN = ("name", "description", "action", "status", "enabled", "allow_request", "kill_running", "log")
_TOLD = ("owner", "reason", "ticket")


class PolicyForm(forms.Form):
    """A policy. Times are in the organization's zone. `neighbours`: policies to place a new one after.

    `people`: (address, name) of those who may be told. `only_looked_at`: a button of the form was pressed that saves
    nothing, so nothing is called wrong yet.
    """

    applications = forms.MultipleChoiceField(widget=forms.SelectMultiple(attrs={"size": 9}))
    scope = forms.ChoiceField()
    action = forms.ChoiceField(choices=Action.choices, initial=Action.PERMIT)
    status = forms.ChoiceField(choices=Status.choices)
    allow_request = forms.BooleanField(required=False, initial=True, label="People may ask for what it denies")
    kill_running = forms.BooleanField(required=False, label="End programs that are running already")
    notify = forms.MultipleChoiceField(
        label="Tell these people by e-mail when it stops something",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
    )
    log = forms.BooleanField(required=False, initial=True, label="Write each match to the Unified Audit")
    enabled = forms.BooleanField(required=False, initial=True, label="Enabled")
    starts_at = forms.DateTimeField(required=False, label="Starts", input_formats=[_MOMENT])
    ends = forms.ChoiceField(required=False, choices=[(value, label) for value, label, _, _ in ENDS], initial="never")
    expires_at = forms.DateTimeField(required=False, label="Expires", input_formats=[_MOMENT])
    schedule = WeekField(required=False, label="Only at these times")
    users = text_field("Only for these users", 20_000, widget=forms.Textarea(attrs={"rows": 2}))
    place = forms.ChoiceField(required=False, initial="bottom")
    name = text_field("Name", 160, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))
    description = text_field("Description", 2000, widget=forms.Textarea(attrs={"rows": 2}))
    owner = text_field("Owner", 200)
    reason = text_field("Reason", 1000)
    ticket = text_field("Ticket", 120)

    def __init__(
        self,
        *args: Any,
        zone: str,
        scopes: Grouped,
        applications: Grouped,
        neighbours: list[tuple[str, str]],
        people: list[tuple[str, str]],
        is_new: bool,
        only_looked_at: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.zone = ZoneInfo(zone)
        self.only_looked_at = only_looked_at
        after = [(f"after:{policy}", f"After {label}") for policy, label in neighbours]
        offered: dict[str, Any] = {
            "scope": scopes,
            "applications": applications,
            "notify": people,
            "place": [("bottom", "At the bottom"), ("top", "On top"), *after],
        }
        if is_new:
            offered["status"] = [("", "As proposed: inherit, or secured for a deny"), *Status.choices]
            self.fields["status"].required = False
        for name, choices in offered.items():
            self.fields[name].choices = choices  # type: ignore[attr-defined]
        for name in ("starts_at", "expires_at"):
            self.fields[name].widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
        self._add_levers()

    def _add_levers(self) -> None:
        for lever in LEVERS:
            mode, entries = f"fence_{lever}", f"fence_{lever}_entries"
            choices = [(value, _MODE_LABELS[value]) for value in MODES]
            self.fields[mode] = forms.ChoiceField(choices=choices, required=False, label=_LEVER_LABELS[lever])
            self.fields[entries] = text_field("Entries", 50_000, widget=forms.Textarea(attrs={"rows": 2}))

    @property
    def errors(self) -> ErrorDict:
        return ErrorDict() if self.only_looked_at else super().errors

    @property
    def levers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """(mode, entries) of each lever of the ringfence."""
        return [(self[f"fence_{lever}"], self[f"fence_{lever}_entries"]) for lever in LEVERS]

    def clean_users(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["users"].splitlines() if line.strip()]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("ends") == "until" and not data.get("expires_at") and not self.has_error("expires_at"):
            self.add_error("expires_at", "Say until when, or choose never.")
        return data

    def wanted(self) -> dict[str, Any]:
        """What was typed, with the names of the API; `place` is apart."""
        data = self.cleaned_data
        found = {name: data[name] for name in (*_PLAIN, *_TOLD, "schedule", "users")}
        level, _, target = data["scope"].partition(":")
        found["scope"] = {"level": level, "target": target}
        found["applications"] = [UUID(application) for application in data["applications"]]
        found["starts_at"], found["expires_at"] = self._instant("starts_at"), self._end()
        denies = data["action"] == Action.DENY
        found["status"] = data["status"] or (Status.SECURED if denies else Status.INHERIT)
        found["kill_running"] = denies and data["kill_running"]
        found["notify"] = data["notify"] if denies else []
        found["ringfence"] = self._ringfence() if data["action"] == Action.PERMIT_RINGFENCED else None
        return found

    def _instant(self, name: str) -> datetime | None:
        """The instant that was typed; one left as shown stays exactly what it was, seconds and fold included."""
        typed: datetime | None = self.cleaned_data[name]
        if typed is None:
            return None
        moment, kept = typed.replace(tzinfo=None), self.initial.get(f"kept_{name}")
        if isinstance(kept, datetime) and _shown(kept, self.zone) == moment:
            return kept
        return moment.replace(tzinfo=self.zone)

    def _end(self) -> datetime | None:
        """Without a choice (a script that sends the form) the moment alone says it."""
        chosen = self.cleaned_data["ends"]
        if chosen in _AFTER:
            return clock.now().replace(second=0, microsecond=0) + _AFTER[chosen]
        return None if chosen == "never" else self._instant("expires_at")

    def _ringfence(self) -> dict[str, Any]:
        found = {}
        for lever in LEVERS:
            mode = self.cleaned_data[f"fence_{lever}"] or "off"
            entries = self.cleaned_data[f"fence_{lever}_entries"].splitlines()
            if mode != "off":
                found[lever] = {"mode": mode, "entries": [entry.strip() for entry in entries if entry.strip()]}
        return found

    @property
    def week(self) -> list[TypedRow]:
        """The rows of the week editor as they stand."""
        return list(self["schedule"].value() or [])

    @property
    def open_windows(self) -> list[dict[str, Any]]:
        """The windows of those rows that make sense already."""
        return readable(self.week)


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)


def policy_initial(policy: Policy, zone: str) -> dict[str, Any]:
    """What the form of an existing policy shows."""
    found: dict[str, Any] = {name: getattr(policy, name) for name in (*_PLAIN, *_TOLD)}
    found["scope"] = f"{policy.level}:{policy.target_id}"
    found["applications"] = [str(application.id) for application in policy.named_applications]
    found["schedule"] = typed_rows(policy.schedule)
    found["users"] = "\n".join(policy.users)
    found["notify"] = list(policy.notify)
    for name in ("starts_at", "expires_at"):
        moment = getattr(policy, name)
        found[name] = _shown(moment, ZoneInfo(zone)) if moment else None
        found[f"kept_{name}"] = moment
    found["ends"] = "until" if policy.expires_at else "never"
    return found | _fence(policy.ringfence or {})


def fence_initial(fence: Mapping[str, Any]) -> dict[str, Any]:
    """What the form shows when this ringfence is proposed for a policy."""
    return {"action": Action.PERMIT_RINGFENCED, **_fence(fence)}


def _fence(fence: Mapping[str, Any]) -> dict[str, Any]:
    found = {f"fence_{lever}": settings["mode"] for lever, settings in fence.items()}
    entries = {f"fence_{lever}_entries": "\n".join(settings.get("entries", ())) for lever, settings in fence.items()}
    return {**found, **entries}
