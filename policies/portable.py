"""Applications as a file that another portal, or another organization, can take in. Plain JSON, one format, versioned.

Reading a file changes nothing: it says what would come in and what stands in the way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from policies import queries
from policies.catalogue import RuleDraft, checked_rules, create_application, draft_of, told
from policies.models import Application, Category
from policies.rule_rows import MOST_RULES, save_rules
from policies.strength import Strength, strength, weakest
from portal.common.errors import FieldError, Invalid, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import OperatingSystem, Organization
from portal.tenants.reach import Reach

FORMAT = "portcullis-applications/1"
MOST_APPLICATIONS = 200
MOST_CHARACTERS = 4_000_000
MOST_RULES_IN_A_FILE = 60_000
_MOST_TOLD = 50
_FIELDS = frozenset({"name", "os", "publisher", "description", "category", "rules"})
_RULE_FIELDS = frozenset({"hash", "path", "process", "created_by", "certificate", "note"})


@dataclass(frozen=True, slots=True)
class Incoming:
    """One application of a file. `taken`: this organization has one of that name. `faults`: why it cannot come in."""

    name: str
    os: str
    publisher: str
    description: str
    category: str
    rules: tuple[RuleDraft, ...]
    strength: Strength | None
    taken: bool = False
    faults: tuple[str, ...] = ()

    @property
    def comes_in(self) -> bool:
        return not self.taken and not self.faults


def exported(reach: Reach, applications: Sequence[Application]) -> dict[str, Any]:
    """The applications with all of their rules, as the file holds them. One journal entry for each custom one.

    Raises Refused for more rules than one file holds.
    """
    held = sum(queries.rule_count(one) for one in applications)
    if held > MOST_RULES_IN_A_FILE:
        raise Refused(
            f"A file holds {MOST_RULES_IN_A_FILE:,} rules at most, and these have {held:,}. Take fewer at a time.",
            code="too_many_rules",
        )
    found = []
    for one in applications:
        rules = [told(draft_of(rule)) for rule in queries.rules_of(reach, one.id)]
        fields = {"name": one.name, "os": one.os, "publisher": one.publisher, "description": one.description}
        found.append({**fields, "category": one.category, "rules": rules})
        if one.organization_id is not None and reach.sees(one.organization_id):
            journal.record(reach, "application.exported", one, organization_id=one.organization_id, rules=len(rules))
    return {"format": FORMAT, "applications": found}


def read_file(reach: Reach, organization: Organization, text: str) -> list[Incoming]:
    """What a file would bring into an organization. Raises Invalid when it is no such file."""
    names = Application.objects.within(reach).filter(organization_id=organization.id).values_list("name", flat=True)
    taken = {name.lower() for name in names}
    found = []
    for entry in _entries(text):
        incoming = _incoming(entry, taken)
        taken.add(incoming.name.lower())
        found.append(incoming)
    return found


@transaction.atomic
def import_applications(reach: Reach, organization: Organization, text: str) -> list[Application]:
    """Create what a file brings and nothing stands against; the rest is left out, as `read_file` told.

    Raises Invalid when it is no such file or nothing comes in, Forbidden. Locks the organization.
    """
    reach.require(Capability.APPLICATION_WRITE, organization.id)
    coming = [one for one in read_file(reach, organization, text) if one.comes_in]
    if not coming:
        raise Invalid([FieldError("/file", "Nothing in this file comes in: see what stands against each.")])
    made = []
    for one in coming:
        application = create_application(
            reach, organization_id=organization.id, name=one.name, os=one.os,
            publisher=one.publisher, description=one.description, category=one.category,
        )  # fmt: skip
        save_rules(reach, application, one.rules)
        after = {"rules": [told(rule) for rule in one.rules[:_MOST_TOLD]], "count": len(one.rules)}
        journal.record(reach, "application.imported", application, organization_id=organization.id, after=after)
        made.append(application)
    return made


def _entries(text: str) -> list[Mapping[str, Any]]:
    if len(text) > MOST_CHARACTERS:
        raise _no_file(f"A file may have {MOST_CHARACTERS:,} characters at most.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_file(f"This is no JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _no_file(f"This is not a file of applications: its “format” must be “{FORMAT}”.")
    entries = document.get("applications")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _no_file("“applications” must be a list of applications.")
    if not 0 < len(entries) <= MOST_APPLICATIONS:
        raise _no_file(f"A file holds 1 to {MOST_APPLICATIONS} applications.")
    return entries


def _no_file(message: str) -> Invalid:
    return Invalid([FieldError("/file", message)])


def _incoming(entry: Mapping[str, Any], taken: set[str]) -> Incoming:
    text = {name: entry.get(name, "") for name in ("name", "os", "publisher", "description", "category")}
    faults = [f"“{name}” must be text." for name, value in text.items() if not isinstance(value, str)]
    faults += [f"“{name}” is not known." for name in sorted(set(entry) - _FIELDS)]
    text = {name: value.strip() if isinstance(value, str) else "" for name, value in text.items()}
    faults += _field_faults(text)
    rules, rule_faults = _rules(entry.get("rules", []), text["os"])
    judged = weakest(strength(rule, text["os"]) for rule in rules)
    name = text["name"]
    return Incoming(**text, rules=rules, strength=judged, taken=name.lower() in taken, faults=(*faults, *rule_faults))


def _field_faults(text: Mapping[str, str]) -> list[str]:
    found = []
    if not text["name"] or len(text["name"]) > 120:
        found.append("The name must have 1 to 120 characters.")
    if text["os"] not in OperatingSystem.values:
        found.append(f"“os” must be one of {', '.join(OperatingSystem.values)}.")
    if text["category"] and text["category"] not in Category.values:
        found.append("“category” is not one that is known here.")
    if len(text["publisher"]) > 120 or len(text["description"]) > 2000:
        found.append("The publisher may have 120 characters, the description 2,000.")
    return found


def _rules(entries: Any, os: str) -> tuple[tuple[RuleDraft, ...], list[str]]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return (), ["“rules” must be a list of rules."]
    if len(entries) > MOST_RULES:
        return (), [f"An application takes {MOST_RULES:,} rules at most."]
    rules, faults = [], []
    for number, entry in enumerate(entries, start=1):
        if set(entry) - _RULE_FIELDS or not all(isinstance(value, str) for value in entry.values()):
            faults.append(f"Rule {number} holds something that is no condition.")
            continue
        try:
            rules += checked_rules([RuleDraft(**entry)], os if os in OperatingSystem.values else "windows")
        except Invalid as error:
            faults.append(f"Rule {number}: {' '.join(one.detail for one in error.errors)}")
    return tuple(dict.fromkeys(rules)), faults[:20]
