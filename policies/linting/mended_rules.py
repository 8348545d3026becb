"""Mending file rules: deleting one that another covers, rewriting a pattern that says less than its writer means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from policies import catalogue, queries
from policies.catalogue import RuleDraft
from policies.compile.rules import load_applications
from policies.engine.lint.cover import Cover
from policies.engine.lint.regex_checks import with_escaped_dots
from policies.engine.patterns import REGEX_PREFIX, start_of_pattern
from policies.linting.finding import Finding
from policies.models import FileRule, UndoStep
from policies.scopes import lock_organization
from policies.undoing import keep_undo, reversal
from portal.common.errors import Conflict
from portal.tenants.reach import Reach

KIND = "rules.mended"


def mend(reach: Reach, organization_id: UUID, remedy: str, findings: Sequence[Finding]) -> list[UndoStep]:
    """Delete or rewrite the rules that these findings are about, as one step that can be undone.

    Raises Conflict when a rule is no longer covered, NotFound, Forbidden.
    """
    lock_organization(reach, organization_id)
    by_application: dict[UUID, list[Finding]] = defaultdict(list)
    for one in findings:
        if one.application_id is not None:
            by_application[one.application_id].append(one)
    kept: list[dict[str, Any]] = []
    for application_id, mine in by_application.items():
        if remedy == "delete_rule":
            _refuse_needed(application_id, mine)
        for one in mine:
            kept.append(_mend_one(reach, application_id, remedy, one))
    what = findings[0].application_name if len(by_application) == 1 else f"{len(by_application)} applications"
    verb = "deleted from" if remedy == "delete_rule" else "rewritten in"
    rules = "1 rule" if len(kept) == 1 else f"{len(kept)} rules"
    summary = f"{rules} {verb} {what}"
    return [keep_undo(reach, organization_id=organization_id, kind=KIND, summary=summary, payload={"rules": kept})]


def told(reach: Reach, one: Finding) -> str:
    """What mending it would do."""
    rule = _rule(reach, one)
    if one.fix is not None and one.fix.kind == "delete_rule":
        return f"Rule {rule.position} of {one.application_name} ({rule}) is deleted. No decision changes."
    was = getattr(rule, one.field)
    return f"Rule {rule.position} of {one.application_name}: “{was}” becomes “{_rewritten(rule, one)}”."


def _mend_one(reach: Reach, application_id: UUID, remedy: str, one: Finding) -> dict[str, Any]:
    rule = _rule(reach, one)
    before = catalogue.draft_of(rule)
    if remedy == "delete_rule":
        catalogue.delete_file_rule(reach, application_id, rule.id)
        return {"application": str(application_id), "before": asdict(before)}
    draft = catalogue.changed_rule(rule, {one.field: _rewritten(rule, one)})
    catalogue.update_file_rule(reach, application_id, rule.id, rule=draft)
    return {"application": str(application_id), "rule": str(rule.id), "before": asdict(before), "after": asdict(draft)}


def _rule(reach: Reach, one: Finding) -> FileRule:
    return queries.file_rule(reach, one.application_id or one.subject_id, one.subject_id)


def _rewritten(rule: FileRule, one: Finding) -> str:
    text = str(getattr(rule, one.field))
    if one.fix is not None and one.fix.kind == "escape_dots":
        start = start_of_pattern(text) + len(REGEX_PREFIX)
        return text[:start] + with_escaped_dots(text[start:])
    return text.replace("/", "\\")


def _refuse_needed(application_id: UUID, findings: Sequence[Finding]) -> None:
    """Raise Conflict unless each rule is covered by another one that stays, as the rules are at this moment."""
    applications, os_of = load_applications([application_id])
    key = str(application_id)
    cover = Cover(applications.values(), os_of[key]) if key in applications else None
    doubled = {row.rule.id for row, _, _ in cover.doubled()} if cover else set()
    for one in findings:
        if str(one.subject_id) not in doubled:
            raise Conflict(f"A rule of {one.application_name} is no longer covered by another. Look at it again.")


@reversal(KIND)
def restore_rules(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Give rules their old text; add those that were deleted at the end of their application."""
    for kept in payload["rules"]:
        application_id, before = UUID(kept["application"]), RuleDraft(**kept["before"])
        if "rule" not in kept:
            catalogue.add_file_rule(reach, application_id, rule=before)
            continue
        rule = queries.file_rule(reach, application_id, kept["rule"])
        if asdict(catalogue.draft_of(rule)) != kept["after"]:
            raise Conflict(f"Rule {rule.position} of {rule.application.name} was changed since.")
        catalogue.update_file_rule(reach, application_id, rule.id, rule=before)
