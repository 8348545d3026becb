"""Advice while a policy or a rule is written, and on one application: made live, shown, never in the way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from policies import fitting, placing, queries
from policies.compile.rules import load_applications, policy_value
from policies.drafts import PolicyDraft
from policies.engine import model
from policies.engine.lint import Found, PolicySet, about_policies, check_rule, lint, worst_first
from policies.engine.lint.cover import Cover
from policies.engine.rules import RULE_FIELDS, FileRule
from policies.linting import results
from policies.linting.acceptance import accepted_at
from policies.linting.finding import Finding
from policies.linting.judging import plain_of, rule_words
from policies.linting.reading import finding_of, homes
from policies.linting.worlds import Owned, load_world
from policies.models import Application, Kind, Policy
from policies.placing import Placement
from policies.strength import RuleText
from portal.common import clock
from portal.common.errors import PortalError
from portal.tenants import queries as tenants
from portal.tenants.reach import Reach

MOST_RULES = 20_000
MOST_RULES_COMPARED = 2_000
_DRAFT = "00000000-0000-0000-0000-000000000000"
_MOST_KEPT = 4


@dataclass(frozen=True, slots=True)
class _Kept:
    """The policy set of an organization and operating system with its cover, for the next key stroke."""

    world: PolicySet
    cover: Cover


_kept: OrderedDict[tuple[UUID, str, str], _Kept | None] = OrderedDict()
_lock = threading.Lock()


def check_policy_draft(
    reach: Reach, draft: PolicyDraft, policy_id: UUID | None = None, *, place: Placement = placing.BOTTOM
) -> list[Finding]:
    """What lint would say of the draft once it is saved (in place of `policy_id`, if given), and of what it would do
    to others. Nothing when the draft is no policy yet: its own faults are told at its boxes. Raises NotFound.
    """
    organization = tenants.organization(reach, draft.scope.organization_id)
    try:
        applications = fitting.checked_applications(reach, organization, draft)
        order = _order(reach, policy_id, Kind(applications[0].kind), organization, place)
    except (PortalError, IndexError):
        return []
    os = applications[0].os
    row = Policy(**draft.columns(), kind=applications[0].kind, order=order)
    key = str(policy_id) if policy_id else _DRAFT
    value = replace(policy_value(row, draft.applications, organization.time_zone), id=key, name=draft.name or "It")
    kept = _world(organization.id, os)
    if kept is None or any(str(a.id) not in {b.id for b in kept.world.applications} for a in applications):
        kept = _small_world(applications, os)
    others = tuple(p for p in kept.world.policies if p.id != key)
    before = {(one.code, one.subject) for one in about_policies(replace(kept.world, policies=others), kept.cover)}
    world = replace(kept.world, policies=(*others, value), usage={})
    found = [
        one
        for one in about_policies(world, kept.cover)
        if one.subject == key or (key in one.others and (one.code, one.subject) not in before)
    ]
    names = {p.id: p.name for p in (*others, value)}
    return [_advice(one, names.get(one.subject, ""), organization.id, os) for one in worst_first(found)]


def check_rule_draft(
    reach: Reach, application: Application, rule: RuleText, *, rule_id: UUID | None = None
) -> list[Finding]:
    """What lint would say of this rule in this application (in place of `rule_id`, if given)."""
    key = str(rule_id) if rule_id else _DRAFT
    written = FileRule(key, **{name: getattr(rule, name).strip() for name in RULE_FIELDS})
    using = list(queries.policies_using(reach, application.id).values_list("action", "enabled"))
    permits = not using or any(enabled and action != "deny" for action, enabled in using)
    found = check_rule(written, application.os, application=str(application.id), permits=permits)
    if queries.rule_count(application) <= MOST_RULES_COMPARED:
        found += _covered(application, written)
    return [_advice(one, application.name, application.organization_id, application.os) for one in worst_first(found)]


def check_rule_text(os: str, rule: RuleText, *, is_weak: bool = True) -> list[Finding]:
    """What lint says of this rule by itself. Not `is_weak`: leave out how weak it is, where a strength meter tells."""
    written = FileRule(_DRAFT, **{name: getattr(rule, name).strip() for name in RULE_FIELDS})
    found = [one for one in check_rule(written, os) if is_weak or one.remedy != "add_condition"]
    return [_advice(one, "", None, os) for one in worst_first(found)]


def findings_of_application(reach: Reach, application_id: UUID | str) -> list[Finding]:
    """What lint says of one application and its rules, as they are now; accepted findings carry their acceptance.

    Nothing is said of built-in ones: they follow the catalogue. Raises NotFound.
    """
    application = queries.application(reach, application_id)
    owner = application.organization_id
    if owner is None:
        return []
    values, _ = load_applications([application.id])
    policies = tuple(
        policy_value(policy, [application.id], "UTC") for policy in queries.policies_using(reach, application.id)
    )
    world = PolicySet(tuple(values.values()), policies, application.os, clock.to_ms(clock.now()))
    accepted, known = accepted_at(reach, [owner]), homes(reach, {owner})
    home = Owned(owner, application.name)
    words = {r.id: rule_words(n, r) for value in values.values() for n, r in enumerate(value.rules, start=1)}
    return [
        finding_of(
            {**plain_of(one, home, application.name, application.os), "rule": words.get(one.subject, "")},
            owner,
            accepted,
            known,
        )
        for one in lint(world)
        if one.subject_type != "policy"
    ]


def _order(reach: Reach, policy_id: UUID | None, kind: Kind, organization: object, place: Placement) -> int:
    if policy_id is not None:
        return int(queries.policy(reach, policy_id).order)
    return placing.find_slot(reach, organization, kind, place).order  # type: ignore[arg-type]


def _covered(application: Application, written: FileRule) -> Iterable[Found]:
    """That another rule of the application covers the one being written."""
    values, _ = load_applications([application.id])
    for value in values.values():
        others = tuple(rule for rule in value.rules if rule.id != written.id)
        world = replace(value, rules=(*others, written))
        for one in lint(PolicySet((world,), (), application.os, 0)):
            if one.subject == written.id and one.others:
                yield one


def _world(organization_id: UUID, os: str) -> _Kept | None:
    """The organization's policy set, made once for each of its revisions; None when it is too large to wait for."""

    def make() -> _Kept | None:
        if results.count_rules(organization_id) > MOST_RULES:
            return None
        world = load_world(organization_id)
        mine = next((one for one in world.sets if one.os == os), None)
        return None if mine is None else _Kept(mine, Cover(mine.applications, os))

    return _remembered((organization_id, os, results.key_of(organization_id)), make)


def _remembered(key: tuple[UUID, str, str], make: Callable[[], _Kept | None]) -> _Kept | None:
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = make()
    with _lock:
        _kept[key] = made
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return made


def _small_world(applications: Iterable[Application], os: str) -> _Kept:
    """The draft's applications alone: what can be said without looking at other policies."""
    values, _ = load_applications([application.id for application in applications])
    alone: tuple[model.Application, ...] = tuple(values.values())
    return _Kept(PolicySet(alone, (), os, clock.to_ms(clock.now())), Cover(alone, os))


def _advice(found: Found, name: str, organization_id: UUID | None, os: str) -> Finding:
    owner = Owned(organization_id or UUID(_DRAFT), name)
    return finding_of(plain_of(found, owner, name, os), None, {}, {})
