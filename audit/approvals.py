"""Permit Application: from an event to an application, a rule, a policy and a deployment, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import transaction

from audit.event_rows import EventRow
from audit.explain import facts_of
from audit.suggestions import automatic_rule
from policies import authoring, catalogue, evaluate, placing, queries
from policies.catalogue import RuleDraft
from policies.drafts import PolicyDraft
from policies.engine.rules import RULE_FIELDS
from policies.models import Action, Application, FileRule, Level, Policy, Status
from policies.names import proposed_name
from policies.placing import Placement
from policies.scopes import FoundScope, Scope, find_scope
from portal.common import registry
from portal.common.errors import FieldError, Invalid, NotFound, Refused
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

Deploy = Literal["none", "computer", "scope"]
WATCHED: dict[str, Any] = {
    lever: {"mode": "log_only", "entries": []} for lever in ("child_processes", "files", "network", "registry")
}
"""The ringfence given when none is described: everything runs, and everything a fence could stop is logged."""


@dataclass(frozen=True, slots=True)
class Permit:
    """The four answers. `application`: the id of an existing one, or the name of a new one. `rule` None: automatic.

    `level` and `target` name the scope as `policies.scopes.find_scope` takes it. A deny makes an explicit deny.
    """

    application: UUID | str
    level: str
    target: UUID | str
    rule: RuleDraft | None = None
    action: str = Action.PERMIT
    ringfence: Mapping[str, Any] | None = None
    place: Placement = placing.BOTTOM
    expires_at: datetime | None = None
    reason: str = ""
    ticket: str = ""
    deploy: Deploy = "none"


@dataclass(frozen=True, slots=True)
class Permitted:
    """What was made. `deployment` is None when none was asked for, or when `not_sent` says why none was started."""

    application: Application
    rule: FileRule
    policy: Policy
    scope: Scope
    scope_name: str
    deployment: Any | None = None
    not_sent: str = ""


@transaction.atomic
def permit_application(reach: Reach, *, event: EventRow, permit: Permit) -> Permitted:
    """Make what lets the event's file run (or denies it) from now on. All or nothing.

    An enabled policy of the same scope and action on the same application is used again; else one is made at
    `permit.place`. Raises NotFound, Forbidden, Invalid (pointers `/rule/…`, `/application/…`, `/scope/…`), Conflict,
    and Refused when the file would still be denied because another policy comes first. Locks the organization.
    """
    if event.computer is None:
        raise Refused("This computer is gone. Make the application and its policy by hand.", code="computer_gone")
    found = find_scope(reach, permit.level, permit.target)
    reach.require(Capability.POLICY_WRITE, found.scope.organization_id)
    draft = permit.rule or automatic_rule(reach, event)
    try:
        application, rule = _application_and_rule(reach, event, permit, draft, found)
    except Invalid as error:
        raise Invalid([FieldError(_pointer(fault.pointer), fault.detail) for fault in error.errors]) from error
    policy = _policy(reach, permit, application, found)
    _refuse_if_still_denied(reach, event, permit, found)
    journal.record(
        reach,
        "event.permitted",
        policy,
        organization_id=found.scope.organization_id,
        event=event.id,
        path=event.path,
        sha256=event.sha256,
        application=str(application.id),
        rule=str(rule.id),
        action=permit.action,
    )
    deployment, not_sent = _deploy(reach, event, permit, found, application)
    return Permitted(application, rule, policy, found.scope, found.name, deployment, not_sent)


def _application_and_rule(
    reach: Reach, event: EventRow, permit: Permit, draft: RuleDraft, found: FoundScope
) -> tuple[Application, FileRule]:
    if isinstance(permit.application, UUID):
        application = queries.application(reach, permit.application)
        same = queries.rules_of(reach, application.id).filter(
            hash=draft.hash, path=draft.path, process=draft.process, created_by=draft.created_by,
            certificate=draft.certificate,
        )  # fmt: skip
        return application, same.first() or catalogue.add_file_rule(reach, application.id, rule=draft)
    application = catalogue.create_application(
        reach,
        organization_id=found.scope.organization_id,
        name=permit.application,
        os=event.computer.os if event.computer else found.os,
        description="Made by Permit Application from an event.",  # shared downward: names nobody's computer
        rules=[draft],
    )
    rule = queries.rules_of(reach, application.id).first()
    if rule is None:
        raise NotFound
    return application, rule


def _pointer(pointer: str) -> str:
    """Where a fault of the application or its rule stands in a permit."""
    box = pointer.rpartition("/")[2]
    if box in RULE_FIELDS or not box or box == "0":
        return f"/rule/{box}" if box in RULE_FIELDS else "/rule"
    return f"/application/create/{box}"


def _policy(reach: Reach, permit: Permit, application: Application, found: FoundScope) -> Policy:
    """The policy that carries the permit: one that says the same already, or a new one."""
    action = Action(permit.action)
    if permit.expires_at is None and action != Action.PERMIT_RINGFENCED:
        same = queries.policies_using(reach, application.id).filter(
            **found.scope.columns(), action=action, enabled=True, expires_at__isnull=True, starts_at__isnull=True,
            schedule=[], users=[],
        )  # fmt: skip
        existing = same.first()
        if existing is not None:
            return existing
    draft = PolicyDraft(
        name=proposed_name(Level(found.scope.level), found.slug or found.name, [application.name], action),
        scope=found.scope,
        applications=(application.id,),
        action=action,
        status=Status.SECURED if action == Action.DENY else Status.INHERIT,
        expires_at=permit.expires_at,
        ringfence=(permit.ringfence or WATCHED) if action == Action.PERMIT_RINGFENCED else None,
        reason=permit.reason,
        ticket=permit.ticket,
        owner=reach.actor.name,
    )
    return authoring.create_policy(reach, draft=draft, place=permit.place)


def _refuse_if_still_denied(reach: Reach, event: EventRow, permit: Permit, found: FoundScope) -> None:
    """A permit below a deny that matches too would change nothing on this computer: say so instead of saving it."""
    if permit.action == Action.DENY or event.computer is None or not _covers(event, found):
        return
    now = evaluate.evaluate(reach, facts=facts_of(event), computer=event.computer)
    if now.action == Action.DENY:
        first = now.policy_name or "another policy"
        raise Refused(
            f"It would still be denied: {first} comes first. Place the policy at the top, or check the rule.",
            pointer="/place",
            code="still_denied",
        )


def _covers(event: EventRow, found: FoundScope) -> bool:
    """Whether the scope surely holds the event's computer (a global group may not)."""
    if event.computer is None:
        return False
    own = {Level.COMPUTER: event.computer.id, Level.GROUP: event.computer.group_id}
    return own.get(Level(found.scope.level), event.computer.organization_id) == found.scope.target


def _deploy(
    reach: Reach, event: EventRow, permit: Permit, found: FoundScope, application: Application
) -> tuple[Any | None, str]:
    """(the deployment, or None and why): where nobody is enrolled yet, the change simply stays pending."""
    if permit.deploy == "none" or event.computer is None:
        return None, ""
    level, target = (
        (Level.COMPUTER, event.computer.id) if permit.deploy == "computer" else (found.scope.level, found.scope.target)
    )
    try:
        start = registry.start_deployment()
        return start(reach, level=str(level), target_id=target, note=f"Permit {application.name}"), ""
    except Refused as refused:
        if refused.code != "no_computers":
            raise
        return None, refused.message
