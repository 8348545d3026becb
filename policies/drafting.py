"""From what a person or a script typed to the draft of a policy: references resolved, a name proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from policies import queries
from policies.drafts import PolicyDraft
from policies.models import Action, Level, Status
from policies.names import proposed_name
from policies.notices import checked_addresses
from policies.scopes import FoundScope, find_scope
from portal.common.uuid7 import is_uuid
from portal.tenants.reach import Reach


def draft_from(reach: Reach, wanted: dict[str, Any], *, base: PolicyDraft | None = None) -> PolicyDraft:
    """The draft that parsed input asks for; with `base` only the fields that were sent change.

    Raises NotFound, Refused for the scope.
    """
    fields = dict(wanted)
    fields.pop("place", None)
    found: FoundScope | None = None
    if "scope" in fields:
        found = find_scope(reach, fields["scope"]["level"], fields["scope"]["target"])
        fields["scope"] = found.scope
    for name in ("applications", "schedule", "users", "notify"):
        if name in fields:
            fields[name] = tuple(fields[name])
    if "notify" in fields:
        fields["notify"] = _notified(reach, fields["notify"], found, base)
    for name, kind in (("action", Action), ("status", Status)):
        if name in fields:
            fields[name] = kind(fields[name])
    if base is not None:
        return replace(base, **fields)
    if not fields.get("name") and found is not None:
        names = queries.application_names(reach, fields["applications"])
        fields["name"] = proposed_name(found.scope.level, found.slug, names, fields["action"])
    return PolicyDraft(**fields)


def _notified(
    reach: Reach, wanted: tuple[str, ...], found: FoundScope | None, base: PolicyDraft | None
) -> tuple[str, ...]:
    """The addresses, as far as they may be chosen in the organization of the scope. Raises Invalid."""
    scope = found.scope if found is not None else base.scope if base is not None else None
    was = base.notify if base is not None else ()
    return checked_addresses(reach, scope.organization_id, wanted, was=was) if scope else wanted


def name_for(reach: Reach, level: str, target: str, applications: Sequence[str], action: str) -> str:
    """The proposed name while a form is filled in; what is not chosen yet is left out. Raises NotFound, Refused."""
    found = find_scope(reach, level, target)
    names = queries.application_names(reach, [UUID(a) for a in applications if is_uuid(a)])
    kind = Action(action) if action in Action.values else Action.PERMIT
    return proposed_name(found.scope.level, found.slug, names, kind)


def level_of(text: str) -> Level:
    """The level that a form's value names."""
    return Level(text)
