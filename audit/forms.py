"""The sheet of Permit Application as it is sent: its shape. What may be permitted is decided by the activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms

from audit.approvals import Permit
from audit.permit_scopes import ScopeChoice
from audit.suggestions import Suggestion
from policies import placing
from policies.catalogue import RuleDraft
from policies.engine.rules import RULE_FIELDS
from policies.models import Action, Application
from portal.common import clock

CONDITIONS = (
    ("path", "Path"), ("process", "Process"), ("created_by", "Created By"), ("certificate", "Signer"), ("hash", "Hash"),
)  # fmt: skip
LENGTHS = (("none", "No end"), ("1h", "1 h, then off"), ("8h", "8 h"), ("7d", "7 days"), ("until", "Until…"))
_SPANS = {"1h": timedelta(hours=1), "8h": timedelta(hours=8), "7d": timedelta(days=7)}
DEPLOYS = (("scope", "to the whole scope"), ("computer", "to this computer only"), ("none", "not yet"))


class PermitForm(forms.Form):
    """Four questions. `what`: existing or new application. `rule`: automatic, or the ticked boxes."""

    what = forms.ChoiceField(choices=(("existing", ""), ("new", "")))
    application = forms.ChoiceField(required=False)
    name = forms.CharField(required=False, max_length=120)
    rule = forms.ChoiceField(choices=(("automatic", ""), ("manual", "")))
    action = forms.ChoiceField(choices=Action.choices)
    scope = forms.ChoiceField()
    place = forms.ChoiceField(choices=(("bottom", ""), ("top", "")))
    length = forms.ChoiceField(choices=LENGTHS)
    until = forms.DateTimeField(required=False)
    reason = forms.CharField(required=False, max_length=1000)
    ticket = forms.CharField(required=False, max_length=120)
    deploy = forms.ChoiceField(choices=DEPLOYS)
    answer = forms.CharField(required=False, max_length=1000)

    def __init__(
        self, data: Mapping[str, Any] | None, *, applications: Sequence[Application], scopes: Sequence[ScopeChoice]
    ) -> None:
        super().__init__(data)
        for name, _ in CONDITIONS:
            self.fields[f"use_{name}"] = forms.BooleanField(required=False)
            self.fields[f"value_{name}"] = forms.CharField(required=False, max_length=32_768, strip=False)
        choice: Any = self.fields["application"]
        choice.choices = [("", "")] + [(str(a.id), a.name) for a in applications]
        at: Any = self.fields["scope"]
        at.choices = [(scope.value, scope.name) for scope in scopes]

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("what") == "new" and not found.get("name"):
            self.add_error("name", "Give the new application a name.")
        if found.get("what") == "existing" and not found.get("application"):
            self.add_error("application", "Choose the application that it belongs to.")
        if found.get("length") == "until" and not found.get("until"):
            self.add_error("until", "Say until when.")
        if found.get("rule") == "manual" and not any(found.get(f"use_{name}") for name, _ in CONDITIONS):
            self.add_error("rule", "Tick at least one condition.")
        return found

    def manual_rule(self) -> RuleDraft:
        """The ticked boxes, whatever else is right or wrong with the form."""
        data = self.data
        return RuleDraft(**{n: str(data.get(f"value_{n}", "")) for n in RULE_FIELDS if data.get(f"use_{n}")})

    def permit(self) -> Permit:
        """The answers of a valid form."""
        data = self.cleaned_data
        level, _, target = data["scope"].partition(":")
        return Permit(
            application=UUID(data["application"]) if data["what"] == "existing" else data["name"],
            level=level,
            target=UUID(target),
            rule=self.manual_rule() if data["rule"] == "manual" else None,
            action=data["action"],
            place=placing.TOP if data["place"] == "top" else placing.BOTTOM,
            expires_at=self._expires_at(),
            reason=data["reason"],
            ticket=data["ticket"],
            deploy=data["deploy"],
        )

    def _expires_at(self) -> datetime | None:
        data = self.cleaned_data
        if data["length"] == "until":
            until: datetime = data["until"]
            return until
        span = _SPANS.get(data["length"])
        return clock.now() + span if span else None


def prefilled(proposal: Suggestion, scopes: Sequence[ScopeChoice]) -> dict[str, Any]:
    """The sheet as it is first shown."""
    answers: dict[str, Any] = {
        "what": "new", "name": proposal.name, "rule": "automatic", "action": Action.PERMIT, "place": "bottom",
        "length": "none", "deploy": "scope", "scope": scopes[0].value if scopes else "",
    }  # fmt: skip
    for name, _ in CONDITIONS:
        answers[f"value_{name}"] = getattr(proposal.manual, name)
        if name in proposal.ticked:
            answers[f"use_{name}"] = "on"
    return answers
