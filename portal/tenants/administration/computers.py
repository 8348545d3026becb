"""Moving and forgetting computers. They come into being by enrolment, a floor above."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from portal.common import registry
from portal.common.errors import Refused
from portal.tenants import journal, queries
from portal.tenants.administration.naming import delete, locked
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer
from portal.tenants.reach import Reach


@transaction.atomic
def move_computer(reach: Reach, computer_id: UUID | str, *, group_id: UUID) -> Computer:
    """Put a computer into another group of its own organization and system. Locks the computer."""
    seen = queries.computer(reach, computer_id)
    reach.require(Capability.COMPUTER_WRITE, seen.organization_id)
    group = queries.group(reach, group_id)
    if group.organization_id != seen.organization_id:
        raise Refused(
            "A computer stays in its organization. Enrol it again with a key of the other one.", pointer="/group"
        )
    if group.is_global:
        raise Refused("A global group holds computers by rule, not one by one.", pointer="/group")
    if group.is_template:
        raise Refused(f"{group.name} is the template of a baseline and holds no computers.", pointer="/group")
    if group.os != seen.os:
        raise Refused(f"{group.name} is for {group.get_os_display()} computers.", pointer="/group")
    found = locked(Computer.objects.within(reach), seen.id)
    before = found.group
    if before.id != group.id:
        found.group = group
        found.save(update_fields=["group"])
        journal.record(
            reach,
            "computer.moved",
            found,
            organization_id=found.organization_id,
            before={"group": before.name},
            after={"group": group.name},
        )
        for hook in registry.computer_hooks:
            hook(reach, found)
    return queries.computer(reach, found.id)


@transaction.atomic
def delete_computer(reach: Reach, computer_id: UUID | str) -> None:
    """Forget a computer: its agent is refused from now on and keeps its last bundle. Its audit rows stay."""
    found = queries.computer(reach, computer_id)
    reach.require(Capability.COMPUTER_WRITE, found.organization_id)
    journal.record(
        reach,
        "computer.deleted",
        found,
        organization_id=found.organization_id,
        before={"name": found.name, "group": found.group.name, "machine_id": found.machine_id},
    )
    delete(found)
