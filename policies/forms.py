"""Shapes of what people type about policies, applications and file rules. Rules live in the activities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms

from policies import schedules
from policies.choices import Grouped
from policies.models import Action, Policy, Status
from policies.ringfence import LEVERS, MODES
from policies.schedules import UnreadableLine
from portal.tenants.models import Mode, OperatingSystem

ACTION_CHOICES = (
    ("permit", "Permit", "permit", "check"),
    ("permit_ringfenced", "Permit, ringfenced", "fence", "grid-4x4"),
    ("deny", "Deny", "deny", "x"),
)
_LEVER_LABELS = {
    "child_processes": "Programs it may start",
    "files": "Files it may touch",
    "network": "Destinations it may reach",
    "registry": "Registry keys it may write",
}
_MODE_LABELS = {"off": "Off", "log_only": "Log only", "enforce": "Enforce"}
_MOMENT = "%Y-%m-%dT%H:%M"


def _text(label: str, limit: int, **kwargs: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=limit, required=False, **kwargs)


class PolicyForm(forms.Form):
    """A policy. Times are in the organization's zone. `neighbours`: policies to place a new one after."""

    applications = forms.MultipleChoiceField(widget=forms.SelectMultiple(attrs={"size": 9}))
    scope = forms.ChoiceField()
    action = forms.ChoiceField(choices=Action.choices, initial=Action.PERMIT)
    status = forms.ChoiceField(choices=Status.choices)
    allow_request = forms.BooleanField(required=False, initial=True, label="People may ask for what it denies")
    kill_running = forms.BooleanField(required=False, label="End programs that are running already (deny only)")
    log = forms.BooleanField(required=False, initial=True, label="Write each match to the Unified Audit")
    enabled = forms.BooleanField(required=False, initial=True, label="Enabled")
    starts_at = forms.DateTimeField(required=False, label="Starts", input_formats=[_MOMENT])
    expires_at = forms.DateTimeField(required=False, label="Expires", input_formats=[_MOMENT])
    schedule = _text("Only at these times", 4000, widget=forms.Textarea(attrs={"rows": 2}))
    users = _text("Only for these users", 20_000, widget=forms.Textarea(attrs={"rows": 2}))
    place = forms.ChoiceField(required=False, initial="bottom")
    name = _text("Name", 160, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))
    description = _text("Description", 2000, widget=forms.Textarea(attrs={"rows": 2}))
    owner = _text("Owner", 200)
    reason = _text("Reason", 1000)
    ticket = _text("Ticket", 120)

    def __init__(
        self,
        *args: Any,
        zone: str,
        scopes: Grouped,
        applications: Grouped,
        neighbours: list[tuple[str, str]],
        is_new: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.zone = ZoneInfo(zone)
        if is_new:
            self.fields["status"].choices = [("", "As proposed: inherit, or secured for a deny"), *Status.choices]  # type: ignore[attr-defined]
            self.fields["status"].required = False
        self.fields["scope"].choices = scopes  # type: ignore[attr-defined]
        self.fields["applications"].choices = applications  # type: ignore[attr-defined]
        after = [(f"after:{policy}", f"After {label}") for policy, label in neighbours]
        self.fields["place"].choices = [("bottom", "At the bottom"), ("top", "On top"), *after]  # type: ignore[attr-defined]
        for name in ("starts_at", "expires_at"):
            self.fields[name].widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
        for lever in LEVERS:
            mode, entries = f"fence_{lever}", f"fence_{lever}_entries"
            choices = [(value, _MODE_LABELS[value]) for value in MODES]
            self.fields[mode] = forms.ChoiceField(choices=choices, required=False, label=_LEVER_LABELS[lever])
            self.fields[entries] = _text("Entries", 50_000, widget=forms.Textarea(attrs={"rows": 2}))

    @property
    def levers(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """(mode, entries) of each lever of the ringfence."""
        return [(self[f"fence_{lever}"], self[f"fence_{lever}_entries"]) for lever in LEVERS]

    def clean_schedule(self) -> list[dict[str, Any]]:
        try:
            return schedules.read(self.cleaned_data["schedule"])
        except UnreadableLine as error:
            raise forms.ValidationError(str(error)) from error

    def clean_users(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["users"].splitlines() if line.strip()]

    def wanted(self) -> dict[str, Any]:
        """What was typed, with the names of the API; `place` is apart."""
        data = self.cleaned_data
        plain = ("name", "description", "action", "status", "enabled", "allow_request", "kill_running", "log")
        found = {name: data[name] for name in (*plain, "schedule", "users", "owner", "reason", "ticket")}
        level, _, target = data["scope"].partition(":")
        found["scope"] = {"level": level, "target": target}
        found["applications"] = [UUID(application) for application in data["applications"]]
        found["starts_at"], found["expires_at"] = self._instant("starts_at"), self._instant("expires_at")
        found["status"] = data["status"] or (Status.SECURED if data["action"] == Action.DENY else Status.INHERIT)
        found["ringfence"] = self._ringfence() if data["action"] == Action.PERMIT_RINGFENCED else None
        return found

    def _instant(self, name: str) -> datetime | None:
        moment: datetime | None = self.cleaned_data[name]
        return moment.replace(tzinfo=self.zone) if moment else None

    def _ringfence(self) -> dict[str, Any]:
        found = {}
        for lever in LEVERS:
            mode = self.cleaned_data[f"fence_{lever}"] or "off"
            entries = self.cleaned_data[f"fence_{lever}_entries"].splitlines()
            if mode != "off":
                found[lever] = {"mode": mode, "entries": [entry.strip() for entry in entries if entry.strip()]}
        return found


def policy_initial(policy: Policy, zone: str) -> dict[str, Any]:
    """What the form of an existing policy shows."""
    plain = ("name", "description", "action", "status", "enabled", "allow_request", "kill_running", "log")
    found: dict[str, Any] = {name: getattr(policy, name) for name in (*plain, "owner", "reason", "ticket")}
    found["scope"] = f"{policy.level}:{policy.target_id}"
    found["applications"] = [str(application.id) for application in policy.named_applications]
    for name in ("starts_at", "expires_at"):
        moment: datetime | None = getattr(policy, name)
        found[name] = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if moment else None
    found["schedule"] = schedules.typed(policy.schedule)
    found["users"] = "\n".join(policy.users)
    fence: Mapping[str, Any] = policy.ringfence or {}
    for lever, settings in fence.items():
        found[f"fence_{lever}"] = settings["mode"]
        found[f"fence_{lever}_entries"] = "\n".join(settings.get("entries", ()))
    return found


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


class ArmForm(forms.Form):
    """Until when a disabled policy is on: for a while, or until a time in the organization's zone."""

    until = forms.CharField(initial="30m", max_length=40)
    time = _text("Time of day", 5, widget=forms.TimeInput(attrs={"type": "time"}))
    moment = _text("Day and time", 16, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
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
