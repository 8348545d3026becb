"""The Default Deny of each computer group: made with the group, renamed with it, recognised by its flag."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from policies import changes
from policies.engine import ordering
from policies.models import Action, Level, Policy
from policies.scopes import scope_of
from portal.tenants import journal
from portal.tenants.models import ComputerGroup
from portal.tenants.reach import Reach


def default_name(group: ComputerGroup) -> str:
    """How the default of a group is called. For people: nothing recognises it by this name."""
    return f"Default - ({group.name})"


@transaction.atomic
def ensure_default(reach: Reach, group: ComputerGroup) -> Policy | None:
    """Give the group its Default Deny, or the one it has the group's new name. None for a global group or a template.

    Called in the transaction that creates or renames a group (through `registry.group_hooks`). Safe to repeat.
    A global group has none: each computer has that of its own group. A template has no computer.
    """
    if group.is_global or group.is_template:
        return None
    default = Policy.objects.within(reach).select_for_update().filter(target_group=group, is_default=True).first()
    if default is None:
        return _make(reach, group)
    if default.name != default_name(group):
        before = default.name
        default.name, default.changed_by = default_name(group), reach.actor.name
        default.save(update_fields=["name", "changed_by", "changed_at"])
        _tell(reach, default, "policy.renamed", before={"name": before})
    return default


def keep_default(reach: Reach, group: ComputerGroup) -> None:
    """`ensure_default` as the hook that tenants call."""
    ensure_default(reach, group)


def _make(reach: Reach, group: ComputerGroup) -> Policy:
    default = Policy(
        organization_id=group.organization_id,
        level=Level.GROUP,
        target_group=group,
        name=default_name(group),
        action=Action.DENY,
        order=ordering.DEFAULT,
        is_default=True,
        created_by=reach.actor.name,
        changed_by=reach.actor.name,
    )
    default.save(force_insert=True)
    _tell(reach, default, "policy.created", before=None)
    return default


def _tell(reach: Reach, default: Policy, verb: str, *, before: dict[str, Any] | None) -> None:
    journal.record(
        reach, verb, default, organization_id=default.organization_id, before=before, after={"name": default.name}
    )
    changes.bump(reach, scope_of(default), verb=verb, summary=default.name, thing=default)
