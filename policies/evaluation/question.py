"""The question of the Evaluate screen, as it stands in the address: where, which file, when, by which policies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from policies.engine.facts import FileFacts
from policies.evaluation.pasted import read_pasted
from policies.evaluation.seen import Seen, seen_event, seen_hash
from portal.common.errors import NotFound
from portal.tenants import queries as tenants
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.queries import as_uuid
from portal.tenants.reach import Reach

FACTS = ("path", "sha256", "certificate", "created_by", "process", "user", "command_line")
ACTION_TYPES = ("execute", "install", "script", "network", "read", "write", "registry")
MOST_PLACES = 30
_MOMENT = "%Y-%m-%dT%H:%M"
_HASH_CHARACTERS = 64

# Suggestions are fetched while a name is typed; the rest of the form stays as it is.
_SUGGESTED = {
    "list": "place-names",
    "hx-get": "",
    "hx-params": "where",
    "hx-trigger": "input changed delay:250ms",
    "hx-target": "#place-names",
    "hx-swap": "innerHTML",
    "hx-push-url": "false",
}


def _fact(label: str, limit: int = 16_384, *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=limit,
        required=required,
        strip=required,  # a path that ends in a space is another path
        error_messages={"required": "Name a computer or a group."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
    )


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. Exactly one of `computer` and `group`. `at` None: now. `as_deployed`: by what it runs."""

    facts: FileFacts
    computer: Computer | None
    group: ComputerGroup | None
    at: datetime | None
    as_deployed: bool

    @property
    def os(self) -> str:
        target = self.computer or self.group
        return target.os if target else ""

    @property
    def os_name(self) -> str:
        target = self.computer or self.group
        return target.get_os_display() if target else ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the facts that were not given, for people: what asks for them does not match."""
        return tuple(label for name, label in _MISSING.items() if not getattr(self.facts, name))


_MISSING = {
    "path": "path",
    "sha256": "hash",
    "certificates": "signer",
    "created_by": "created-by program",
    "process": "launching program",
    "user": "user",
}
FIELD_OF = {
    "path": "path",
    "hash": "sha256",
    "certificate": "certificates",
    "created_by": "created_by",
    "process": "process",
}


class EvaluateForm(forms.Form):
    """The fields; `where` is the name or id of a computer or a group. Times are in the organization's zone."""

    where = _fact("Computer or group", 200, required=True)
    path = _fact("Path")
    sha256 = _fact("Hash", 200)
    certificate = _fact("Signer")
    created_by = _fact("Created by")
    process = _fact("Launched by")
    user = _fact("User", 256)
    command_line = _fact("Command line", 32_768)
    action_type = forms.ChoiceField(
        label="What it does", required=False, choices=[(word, word.capitalize()) for word in ACTION_TYPES]
    )
    at = forms.DateTimeField(
        label="When",
        required=False,
        input_formats=[_MOMENT],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
    )
    set = forms.ChoiceField(
        label="By which policies", required=False, choices=[("saved", "As saved"), ("deployed", "As deployed")]
    )
    pasted = forms.CharField(
        label="Paste facts", max_length=40_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Mapping[str, Any] | None, *, reach: Reach, organization: Organization) -> None:
        super().__init__(data)
        self.reach, self.organization = reach, organization
        self.target: Computer | ComputerGroup | None = None
        self.fields["where"].widget.attrs |= _SUGGESTED

    def clean_sha256(self) -> str:
        text = str(self.cleaned_data["sha256"]).strip()
        if text and not re.fullmatch(f"[0-9a-fA-F]{{{_HASH_CHARACTERS}}}", text):
            raise forms.ValidationError(
                f"A SHA-256 hash has {_HASH_CHARACTERS} characters, 0 to 9 and a to f; this has {len(text)}."
            )
        return text.lower()

    def clean_where(self) -> str:
        text = str(self.cleaned_data["where"]).strip()
        try:
            self.target = find_place(self.reach, self.organization, text)
        except SeveralPlaces:
            raise forms.ValidationError(
                f"Several computers or groups are called {text}. Open Evaluate from the page of the one that is meant."
            ) from None
        except NotFound:
            raise forms.ValidationError(
                f"{self.organization.name} has no computer or group of this name. Pick one from the list."
            ) from None
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if "sha256" in data and not any(data.get(name) for name in ("path", "sha256", "certificate")):
            self.add_error("path", "Give a path, a hash or a signer: something that names the file.")
        if data.get("set") == "deployed" and self.target is not None and not isinstance(self.target, Computer):
            self.add_error("set", "What is deployed is known of one computer. Choose a computer, or As saved.")
        return data

    def question(self) -> Question:
        """What a valid form asks."""
        data, target = self.cleaned_data, self.target
        facts = {name: data[name] for name in FACTS if name != "certificate"}
        at: datetime | None = data["at"]
        return Question(
            facts=FileFacts(
                **facts,
                certificates=(data["certificate"],) if data["certificate"] else (),
                action_type=data["action_type"] or "execute",
                os=target.os if target else "windows",
            ),
            computer=target if isinstance(target, Computer) else None,
            group=target if isinstance(target, ComputerGroup) else None,
            at=at.replace(tzinfo=ZoneInfo(self.organization.time_zone)) if at else None,
            as_deployed=data["set"] == "deployed",
        )


@dataclass(frozen=True, slots=True)
class Filled:
    """The fields of the form, and the event they were taken from, if any."""

    values: dict[str, str]
    seen: Seen | None = None


def fill(reach: Reach, organization: Organization, asked: Mapping[str, str]) -> Filled:
    """The fields that an address asks for: typed ones, then pasted ones, then those of its `event`, or of the newest
    event with its hash when it asks to be filled from that (`from=hash`). `computer` and `group` are places by id.

    Raises NotFound and Forbidden for the event.
    """
    values = {name: asked[name] for name in EvaluateForm.base_fields if asked.get(name)}
    for name, value in read_pasted(asked.get("pasted", "")).items():
        values.setdefault(name, value)
    seen = None
    if asked.get("event"):
        seen = seen_event()(reach, asked["event"], organization)
    elif asked.get("from") == "hash" and re.fullmatch("[0-9a-fA-F]{64}", values.get("sha256", "")):
        seen = seen_hash()(reach, values["sha256"].lower(), organization)
    for name, value in _reported(seen).items() if seen else ():
        values.setdefault(name, value)
    if not values.get("where"):
        reported = str(seen.computer) if seen and seen.computer else ""
        reference = asked.get("computer") or asked.get("group") or reported
        values["where"] = _spoken(reach, organization, reference) if reference else ""
    return Filled(values, seen)


def _reported(seen: Seen) -> dict[str, str]:
    facts = seen.facts
    found = {name: getattr(facts, name) for name in (*FACTS, "action_type") if name != "certificate"}
    found["certificate"] = facts.certificates[0] if facts.certificates else ""
    return {name: value for name, value in found.items() if value}


class SeveralPlaces(NotFound):
    """A name that more than one has."""


def find_place(reach: Reach, organization: Organization, text: str) -> Computer | ComputerGroup:
    """The computer or group of an organization that `text` names, by id or by name in any case.

    Raises NotFound, SeveralPlaces.
    """
    computers, groups = _places(reach, organization)
    try:
        own = as_uuid(text)
    except NotFound:
        found = [*groups.filter(name__iexact=text)[:2], *computers.filter(name__iexact=text)[:2]]
    else:
        found = [*groups.filter(id=own), *computers.filter(id=own)]
    if not found:
        raise NotFound
    if len(found) > 1:
        raise SeveralPlaces
    only: Computer | ComputerGroup = found[0]
    return only


def _spoken(reach: Reach, organization: Organization, reference: str) -> str:
    """The name of a place that an address names by id, if that name is its alone; else what the address says."""
    try:
        found = find_place(reach, organization, reference)
        return found.name if find_place(reach, organization, found.name) == found else reference
    except NotFound:
        return reference


def places_like(reach: Reach, organization: Organization, text: str) -> list[Computer | ComputerGroup]:
    """Groups and computers whose name contains `text`, groups first, at most thirty."""
    computers, groups = _places(reach, organization)
    found: list[Computer | ComputerGroup] = list(groups.filter(name__icontains=text)[:MOST_PLACES])
    return found + list(computers.filter(name__icontains=text)[: MOST_PLACES - len(found)])


def _places(reach: Reach, organization: Organization) -> Any:
    return (
        tenants.computers(reach, organization.id),
        tenants.groups(reach, organization.id).filter(is_global=False),
    )
