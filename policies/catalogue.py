"""Writing applications and their file rules. Built-in ones are read-only here; `builtin` loads those."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from policies import changes, queries, regex_budget
from policies.engine.normal_form import normal_hash
from policies.engine.rules import RULE_FIELDS, RuleError, check_rule
from policies.engine.rules import FileRule as EngineRule
from policies.models import Application, Category, FileRule, Kind, Level, Policy
from policies.rule_rows import require_places, save_rules
from policies.scopes import Scope, lock_organization, scope_of
from portal.common.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.models import OperatingSystem
from portal.tenants.reach import Reach

_MOST_TOLD = 50
_LIMITS = {"name": 120, "publisher": 120, "description": 2000}


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """A file rule as it is asked for: conditions joined by AND, an empty one is not looked at."""

    hash: str = ""
    path: str = ""
    process: str = ""
    created_by: str = ""
    certificate: str = ""
    note: str = ""


@transaction.atomic
def create_application(
    reach: Reach,
    *,
    organization_id: UUID,
    name: str,
    os: str,
    description: str = "",
    publisher: str = "",
    category: str = "",
    rules: Sequence[RuleDraft] = (),
) -> Application:
    """Create a custom application with its rules, at most `MOST_RULES`. Raises NotFound, Forbidden, Invalid, Refused
    for too many rules, Conflict for a taken name.

    Faults of rules point at `/rules/<index>/<box>`. Locks the organization.
    """
    reach.require(Capability.APPLICATION_WRITE, organization_id)
    lock_organization(reach, organization_id)
    application = Application(
        organization_id=organization_id, kind=Kind.CUSTOM, name=name.strip(), os=os, description=description
    )
    application.publisher, application.category = publisher.strip(), category
    application.created_by = application.changed_by = reach.actor.name
    _check_application(reach, application)
    require_places(len(rules))
    drafts = checked_rules(rules, os)
    application.save(force_insert=True)
    save_rules(reach, application, drafts)
    after: dict[str, Any] = {
        "name": application.name,
        "os": os,
        "rules": [told(draft) for draft in drafts[:_MOST_TOLD]],
    }
    if len(drafts) > _MOST_TOLD:
        after["count"] = len(drafts)
    journal.record(reach, "application.created", application, organization_id=organization_id, after=after)
    changes.touch(reach, organization_id)
    return application


@transaction.atomic
def update_application(reach: Reach, application_id: UUID, **fields: Any) -> Application:
    """Change `name`, `description`, `publisher`, `category` or `hidden` of a custom application; its system stays.

    Raises NotFound, Forbidden, Invalid, Refused for a built-in one, Conflict for a taken name.
    """
    application = locked_application(reach, application_id)
    if fields.get("os", application.os) != application.os:
        raise Refused("The operating system is fixed once an application is made. Create another.", pointer="/os")
    fields.pop("os", None)
    before = {name: getattr(application, name) for name in fields}
    if before == fields:
        return application
    for name, value in fields.items():
        setattr(application, name, value.strip() if isinstance(value, str) else value)
    application.changed_by = reach.actor.name
    _check_application(reach, application)
    application.save(update_fields=[*fields, "changed_by", "changed_at"])
    owner = owner_of(application)
    journal.record(reach, "application.changed", application, organization_id=owner, before=before, after=fields)
    count_change(reach, application, "application.changed", f"{application.name} changed")
    return application


@transaction.atomic
def delete_application(reach: Reach, application_id: UUID) -> None:
    """Delete a custom application that no policy names. Raises NotFound, Forbidden, Refused."""
    application = locked_application(reach, application_id)
    using = list(queries.policies_using(reach, application.id)[:6])
    if using:
        names = ", ".join(policy.name for policy in using[:5]) + (" and others" if len(using) > 5 else "")
        raise Refused(f"{application.name} is used by {names}. Delete or change these first.", code="in_use")
    owner = owner_of(application)
    rules = [told(draft_of(rule)) for rule in queries.rules_of(reach, application.id)]
    before = {"name": application.name, "os": application.os, "rules": rules}
    journal.record(reach, "application.deleted", application, organization_id=owner, before=before)
    changes.touch(reach, owner)
    application.delete()


@transaction.atomic
def add_file_rule(reach: Reach, application_id: UUID, *, rule: RuleDraft) -> FileRule:
    """Add a rule at the end of a custom application. Raises NotFound, Forbidden, Invalid with `/<box>`, Refused,
    Conflict when the application has the same rule. Locks the organization.
    """
    application = locked_application(reach, application_id)
    draft = checked_rule(rule, application.os)
    _refuse_twin(reach, application, draft)
    rules = queries.rules_of(reach, application.id)
    last = rules.aggregate(last=Max("position"))["last"] or 0
    require_places(last + 1)
    row = FileRule(application=application, position=last + 1)
    _save_rule(reach, row, application, draft)
    _tell_rule(reach, application, "application.rule_added", row, before=None, after=told(draft))
    return row


@transaction.atomic
def update_file_rule(reach: Reach, application_id: UUID, rule_id: UUID, *, rule: RuleDraft) -> FileRule:
    """Make a rule of a custom application what `rule` says. Raises like `add_file_rule`."""
    application = locked_application(reach, application_id)
    row = queries.file_rule(reach, application.id, rule_id)
    before, draft = draft_of(row), checked_rule(rule, application.os)
    if before == draft:
        return row
    _refuse_twin(reach, application, draft, but=row.id)
    _save_rule(reach, row, application, draft)
    _tell_rule(reach, application, "application.rule_changed", row, before=told(before), after=told(draft))
    return row


@transaction.atomic
def delete_file_rule(reach: Reach, application_id: UUID, rule_id: UUID) -> None:
    """Delete a rule of a custom application. Raises NotFound, Forbidden, Refused for a built-in one."""
    application = locked_application(reach, application_id)
    row = queries.file_rule(reach, application.id, rule_id)
    _tell_rule(reach, application, "application.rule_deleted", row, before=told(draft_of(row)), after=None)
    row.delete()


def locked_application(reach: Reach, application_id: UUID) -> Application:
    """The application, its organization locked. Changing one that a global policy names needs the global
    capability. Raises NotFound, Forbidden, Refused for a built-in one."""
    application = queries.application(reach, application_id)
    if application.organization_id is None:
        raise Refused(
            f"{application.name} is built in and follows the catalogue. Make an own copy and change that.",
            code="builtin_is_fixed",
        )
    reach.require(Capability.APPLICATION_WRITE, application.organization_id)
    lock_organization(reach, application.organization_id)
    for policy in queries.policies_using(reach, application.id).filter(level=Level.GLOBAL):
        if not reach.can(Capability.GLOBAL_WRITE, policy.organization_id):
            raise Forbidden(Capability.GLOBAL_WRITE, f"{application.name} is used by the global policy {policy.name}.")
    return queries.application(reach, application_id)


def owner_of(application: Application) -> UUID:
    """The organization of a custom application. Raises NotFound for a built-in one."""
    if application.organization_id is None:
        raise NotFound
    return application.organization_id


def _check_application(reach: Reach, application: Application) -> None:
    errors = [
        FieldError(f"/{name}", f"This may have {limit} characters at most.")
        for name, limit in _LIMITS.items()
        if len(getattr(application, name)) > limit
    ]
    if not application.name:
        errors.append(FieldError("/name", "Give the application a name."))
    if application.os not in OperatingSystem.values:
        errors.append(FieldError("/os", f"This must be one of {', '.join(OperatingSystem.values)}."))
    if application.category and application.category not in Category.values:
        errors.append(FieldError("/category", f"This must be one of {', '.join(Category.values)}, or empty."))
    if errors:
        raise Invalid(errors)
    others = Application.objects.within(reach).filter(organization_id=owner_of(application))
    if others.filter(name__iexact=application.name).exclude(id=application.id).exists():
        raise Conflict(f"There is an application called {application.name} here already.")


def checked_rules(rules: Sequence[RuleDraft], os: str) -> list[RuleDraft]:
    """The drafts in the form they are stored in. Raises Invalid with the faults of all of them."""
    errors: list[FieldError] = []
    found: list[RuleDraft] = []
    for index, rule in enumerate(rules):
        try:
            found.append(checked_rule(rule, os))
        except Invalid as error:
            errors += [FieldError(f"/rules/{index}{fault.pointer}", fault.detail) for fault in error.errors]
    if errors:
        raise Invalid(errors)
    return found


def checked_rule(rule: RuleDraft, os: str) -> RuleDraft:
    """The draft with its hash in normal form and without spaces around. Raises Invalid at the faulty box."""
    try:
        check_rule(EngineRule(id="", **{name: getattr(rule, name) for name in RULE_FIELDS}), os)
    except RuleError as error:
        raise Invalid([rule_fault(error)]) from error
    if len(rule.note) > 500:
        raise Invalid([FieldError("/note", "A note may have 500 characters at most.")])
    stripped = {name: value.strip() for name, value in asdict(rule).items()}
    return replace(rule, **{**stripped, "hash": normal_hash(rule.hash)})


def rule_fault(error: RuleError) -> FieldError:
    """A rule's fault as a person reads it: positions count from 1."""
    place = "" if error.position is None else f"Position {error.position + 1}: "
    return FieldError(f"/{error.field}" if error.field else "", f"{place}{error.message}")


def _refuse_twin(reach: Reach, application: Application, draft: RuleDraft, *, but: UUID | None = None) -> None:
    same = {name: getattr(draft, name) for name in RULE_FIELDS}
    twin = queries.rules_of(reach, application.id).filter(**same).first()
    if twin is not None and twin.id != but:
        raise Conflict(f"Rule {twin.position} of {application.name} says the same.")


def _save_rule(reach: Reach, row: FileRule, application: Application, draft: RuleDraft) -> None:
    if application.organization_id is not None:
        regex_budget.require_room(reach, application.organization_id, application.os, [draft], but=row.id)
    for name, value in asdict(draft).items():
        setattr(row, name, value)
    row.organization_id = application.organization_id
    row.changed_by = reach.actor.name
    row.save()


def changed_rule(rule: FileRule, changes_wanted: Mapping[str, str]) -> RuleDraft:
    """The draft of a rule with some of its boxes changed."""
    return replace(draft_of(rule), **changes_wanted)


def draft_of(rule: FileRule) -> RuleDraft:
    """A saved rule as a draft, its note too."""
    return RuleDraft(**{name: getattr(rule, name) for name in (*RULE_FIELDS, "note")})


def told(draft: RuleDraft) -> dict[str, str]:
    """The boxes of a draft that are filled in, as the journal keeps them."""
    return {name: value for name, value in asdict(draft).items() if value}


def _tell_rule(
    reach: Reach,
    application: Application,
    verb: str,
    rule: FileRule,
    *,
    before: Mapping[str, str] | None,
    after: Mapping[str, str] | None,
) -> None:
    application.changed_by = reach.actor.name
    application.save(update_fields=["changed_by", "changed_at"])
    owner = owner_of(application)
    journal.record(
        reach, verb, application, organization_id=owner, before=before, after=after, rule=rule.position, rule_id=rule.id
    )
    count_change(reach, application, verb, f"Rule {rule.position} of {application.name} {verb.rpartition('_')[2]}")


def count_change(reach: Reach, application: Application, verb: str, summary: str) -> None:
    """One pending change for each organization with an enabled policy on this application; else the revision only."""
    count_application_change(reach, application, verb=verb, summary=summary)
    changes.touch(reach, owner_of(application))


def count_application_change(reach: Reach, application: Application, *, verb: str, summary: str) -> int:
    """Bump every organization in reach that has an enabled policy on `application`; how many those are."""
    using: dict[UUID, list[Policy]] = defaultdict(list)
    for policy in queries.policies_using(reach, application.id).filter(enabled=True):
        if reach.sees(policy.organization_id):
            using[policy.organization_id].append(policy)
    for organization_id, policies in using.items():
        changes.bump(reach, _common_scope(organization_id, policies), verb=verb, summary=summary, thing=application)
    return len(using)


def _common_scope(organization_id: UUID, policies: Sequence[Policy]) -> Scope:
    """The one scope of these policies, else the whole organization, else everything beneath when one is global."""
    scopes = {scope_of(policy) for policy in policies}
    if len(scopes) == 1:
        return scopes.pop()
    widest = Level.GLOBAL if any(scope.level == Level.GLOBAL for scope in scopes) else Level.ORGANIZATION
    return Scope(organization_id, widest, organization_id)
