"""The form of a change that Evaluate proposed: the rule's boxes, and for a new permit its application's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django import forms

from policies.catalogue import RuleDraft
from policies.evaluation.question import Question
from portal.tenants.queries import as_uuid

_LABELS = {
    "path": "Path",
    "process": "Process",
    "created_by": "Created By",
    "certificate": "Signer",
    "hash": "Hash",
}


class StartForm(forms.Form):
    """`application`: the one that gets the rule, None when a new one is made. `before`: the policy to stand before.

    Raises NotFound when either is no id.
    """

    name = forms.CharField(label="Name of the new application", max_length=120, required=False)
    reason = forms.CharField(label="Reason", max_length=1000, required=False)
    ticket = forms.CharField(label="Ticket", max_length=120, required=False)

    def __init__(self, data: Any, *, asked: Mapping[str, str], question: Question) -> None:
        super().__init__(data)
        self.application: UUID | None = as_uuid(asked["application"]) if asked.get("application") else None
        self.before: UUID | None = as_uuid(asked["before"]) if asked.get("before") else None
        for box, label in _LABELS.items():
            self.fields[box] = forms.CharField(
                label=label,
                max_length=4096,
                required=False,
                initial=asked.get(f"rule_{box}", ""),
                strip=False,
                widget=forms.TextInput(attrs={"placeholder": "not looked at", "spellcheck": "false"}),
            )
        if self.application is not None:
            for name in ("name", "reason", "ticket"):
                del self.fields[name]
        else:
            self.fields["name"].required = True
            self.fields["name"].initial = _name_of(question)

    @property
    def conditions(self) -> list[forms.BoundField]:
        return [self[box] for box in _LABELS]

    def proposed(self) -> RuleDraft:
        """The rule as the form shows it, typed or not."""
        return RuleDraft(**{box: str(self[box].value() or "") for box in _LABELS})

    def rule(self) -> RuleDraft:
        """The rule as typed, of a valid form."""
        return RuleDraft(**{box: self.cleaned_data[box] for box in _LABELS})


def _name_of(question: Question) -> str:
    """The file's name without its extension."""
    name = question.facts.path.replace("\\", "/").rpartition("/")[2]
    return (name.rpartition(".")[0] or name)[:100]
