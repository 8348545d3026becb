"""Lint of one organization: from its rows to plain findings, which are kept as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from policies.engine.lint import Code, Found, PolicySet, lint
from policies.engine.rules import FileRule
from policies.linting.worlds import Owned, World, load_world

MOST_OF_A_CODE = 500
_RULE_CHARACTERS = 200
_NOT_ABOVE = frozenset({Code.UNUSED, Code.UNUSED_APPLICATION, Code.SHARED_RULES})  # they tell what others run

Plain = dict[str, Any]


def judge(organization_id: UUID) -> tuple[list[Plain], dict[str, int], int]:
    """(findings, how many of each code, rules read). Of one code the worst few hundred are kept, own ones first.

    Raises NotFound.
    """
    world = load_world(organization_id)
    found = [plain for one in world.sets for plain in _judged(world, one, organization_id)]
    counts = Counter(plain["code"] for plain in found if not plain["inherited"])
    found.sort(key=lambda plain: plain["inherited"])
    kept: Counter[tuple[str, bool]] = Counter()
    findings = []
    for plain in found:
        kept[plain["code"], plain["inherited"]] += 1
        if kept[plain["code"], plain["inherited"]] <= MOST_OF_A_CODE:
            findings.append(plain)
    return findings, dict(counts), world.rules


def _plain(world: World, found: Found, os: str, organization_id: UUID, rules: Mapping[str, str]) -> Iterator[Plain]:
    """The finding as JSON; nothing when it would be wrong seen from here."""
    key = found.application or found.subject
    owner = world.policies[found.subject] if found.subject_type == "policy" else world.applications[key]
    if owner.organization_id is None:
        return
    inherited = owner.organization_id != organization_id
    if inherited and found.code in _NOT_ABOVE:
        return
    if found.code is Code.UNUSED_APPLICATION and found.subject in world.used_beneath | world.hidden:
        return
    name = world.applications[found.application].name if found.application else ""
    yield {**plain_of(found, owner, name, os, inherited=inherited), "rule": rules.get(found.subject, "")}


def _judged(world: World, policies: PolicySet, organization_id: UUID) -> Iterator[Plain]:
    found = lint(policies)
    named = {one.subject for one in found if one.subject_type == "rule"}
    rules = {
        rule.id: rule_words(number, rule)
        for application in policies.applications
        for number, rule in enumerate(application.rules, start=1)
        if rule.id in named
    }
    for one in found:
        yield from _plain(world, one, policies.os, organization_id, rules)


def rule_words(number: int, rule: FileRule) -> str:
    """A rule as a person tells it from its neighbors."""
    text = rule.path or rule.certificate or rule.created_by or rule.process or rule.hash
    return f"rule {number}: {text[:_RULE_CHARACTERS]}"


def plain_of(found: Found, owner: Owned, application_name: str, os: str, *, inherited: bool = False) -> Plain:
    """A finding as JSON. The owner's organization must be known."""
    return {
        "code": str(found.code),
        "severity": found.severity,
        "type": found.subject_type,
        "subject": found.subject,
        "name": owner.name,
        "level": owner.level,
        "message": found.message,
        "application": found.application,
        "application_name": application_name,
        "others": list(found.others),
        "field": found.field,
        "remedy": found.remedy,
        "details": dict(found.details),
        "organization": str(owner.organization_id or ""),
        "inherited": inherited,
        "os": os,
        "rule": "",
    }
