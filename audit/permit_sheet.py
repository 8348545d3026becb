"""Everything the sheet of Permit Application shows for one state of its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.event_rows import EventRow
from audit.forms import CONDITIONS, PermitForm, prefilled
from audit.impact import Impact, impact
from audit.permit_scopes import ScopeChoice, scope_choices
from audit.suggestions import Suggestion, suggestion
from policies import queries
from policies.catalogue import RuleDraft
from policies.models import Action, Application, Kind, Level
from policies.names import proposed_name
from portal.tenants.reach import Reach

_HELP = {
    "created_by": "The program that wrote the file. A file somebody swaps in does not match.",
    "process": "The program that launched it.",
}
_MISSING = {"certificate": "The file is not signed.", "created_by": "None was recorded.", "hash": "It was not read."}


@dataclass(frozen=True, slots=True)
class Condition:
    """One line of question 2."""

    name: str
    label: str
    value: str
    is_on: bool
    is_known: bool
    help: str
    error: str


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """One line of question 4, with how many of the recent denials it would end."""

    choice: ScopeChoice
    is_on: bool
    solved: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet with its answers. `form` is bound once something was sent; `errors` is what was wrong with that."""

    event: EventRow
    proposal: Suggestion
    answers: Mapping[str, Any]
    form: PermitForm
    conditions: tuple[Condition, ...]
    applications: Sequence[Application]
    scopes: tuple[ScopeLine, ...]
    impact: Impact
    rule: RuleDraft
    errors: Mapping[str, str]

    @property
    def scope(self) -> ScopeChoice | None:
        return next((line.choice for line in self.scopes if line.is_on), None)

    @property
    def verb(self) -> str:
        word = "Deny" if self.answers.get("action") == Action.DENY else "Permit"
        return f"{word} {self.scope.verb}" if self.scope else word

    @property
    def policy_name(self) -> str:
        if self.scope is None:
            return ""
        action = Action(self.answers.get("action") or Action.PERMIT)
        return proposed_name(Level(self.scope.level), self.scope.name, [str(self.answers.get("name", ""))], action)


def sheet(
    reach: Reach,
    event: EventRow,
    sent: Mapping[str, Any] | None = None,
    *,
    widest: str = Level.GLOBAL,
    errors: Mapping[str, str] | None = None,
) -> Sheet:
    """The sheet for an event: prefilled, or with what was sent. `widest`: the widest level that may be offered."""
    proposal = suggestion(reach, event)
    scopes = scope_choices(reach, event, widest=widest)
    applications = _applications(reach, event)
    answers = dict(sent) if sent is not None else prefilled(proposal, scopes)
    form = PermitForm(answers, applications=applications, scopes=scopes)
    rule = form.manual_rule() if answers.get("rule") == "manual" else proposal.rule
    tried = impact(reach, event, rule, organization=event.organization)
    told = dict(errors or {}) | {fault.pointer.rpartition("/")[2] or "rule": fault.detail for fault in tried.faults}
    if sent is not None and not form.is_valid():
        told |= {name: str(found[0]) for name, found in form.errors.items()}
    return Sheet(
        event=event,
        proposal=proposal,
        answers=answers,
        form=form,
        conditions=tuple(_condition(name, label, event, answers, told) for name, label in CONDITIONS),
        applications=applications,
        scopes=tuple(
            ScopeLine(one, one.value == answers.get("scope"), tried.solved_at(one.level, one.target)) for one in scopes
        ),
        impact=tried,
        rule=rule,
        errors=told,
    )


def _condition(
    name: str, label: str, event: EventRow, answers: Mapping[str, Any], errors: Mapping[str, str]
) -> Condition:
    known = bool({"hash": event.sha256}.get(name, getattr(event, name, "")))
    value = str(answers.get(f"value_{name}", ""))
    words = _HELP.get(name, "") if known else _MISSING.get(name, "")
    if name == "path" and value.startswith("regex:"):
        words = "A pattern over the whole path, anchored at both ends; it says how many characters change."
    return Condition(name, label, value, bool(answers.get(f"use_{name}")), known, words, errors.get(name, ""))


def _applications(reach: Reach, event: EventRow) -> list[Application]:
    """Custom applications of the event's organization and of those above, for its operating system."""
    if event.organization is None or event.computer is None:
        return []
    found = queries.applications_for(reach, event.organization.id).filter(kind=Kind.CUSTOM, os=event.computer.os)
    return list(found[:200])
