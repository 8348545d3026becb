"""Whether applications fit a policy: visible to its organization, of one kind, of the scope's operating system."""

from __future__ import annotations

from collections.abc import Sequence

from policies import queries
from policies.drafts import PolicyDraft
from policies.models import Application, Level
from policies.scopes import Scope
from portal.common.errors import FieldError, Invalid, Refused
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach


def checked_applications(reach: Reach, organization: Organization, draft: PolicyDraft) -> list[Application]:
    """The draft's applications in its order. All of one kind and one operating system, which fits the scope."""
    visible = {a.id: a for a in queries.applications_for(reach, organization.id).filter(id__in=draft.applications)}
    errors = [
        FieldError(f"/applications/{index}", "There is no such application for this organization.")
        for index, application_id in enumerate(draft.applications)
        if application_id not in visible
    ]
    if len(set(draft.applications)) != len(draft.applications):
        errors.append(FieldError("/applications", "An application is named twice."))
    if errors:
        raise Invalid(errors)
    found = [visible[a] for a in draft.applications]
    if len({a.kind for a in found}) > 1:
        raise Refused(
            "A policy takes built-in or custom applications, not both: their orders lie in different ranges. "
            "Make two policies.",
            pointer="/applications",
            code="mixed_kinds",
        )
    _check_systems(reach, found, draft.scope)
    return found


def _check_systems(reach: Reach, applications: Sequence[Application], scope: Scope) -> None:
    systems = {a.os for a in applications}
    if len(systems) > 1:
        raise Refused(
            "Applications of different operating systems need a policy each.", pointer="/applications", code="mixed_os"
        )
    target = _system_of(reach, scope)
    if target and systems != {target}:
        raise Refused(
            f"The computers of this scope run {target}; {applications[0].name} is for {applications[0].os}.",
            pointer="/applications",
            code="other_os",
        )


def _system_of(reach: Reach, scope: Scope) -> str:
    if scope.level == Level.COMPUTER:
        return str(Computer.objects.within(reach).values_list("os", flat=True).get(id=scope.target))
    if scope.level == Level.GROUP or scope.at_group:
        return str(ComputerGroup.objects.within(reach).values_list("os", flat=True).get(id=scope.target))
    return ""
