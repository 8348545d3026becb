"""Creating, changing and deleting computer groups. What comes with a group (its Default Deny) is added from
above, through `registry.group_hooks`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from portal.common import registry
from portal.common.errors import Conflict, FieldError, Invalid, Refused
from portal.tenants import journal, queries
from portal.tenants.administration.naming import checked_name, delete, locked, pick_slug, save_and_tell, told
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, OperatingSystem
from portal.tenants.reach import Reach

_TOLD = ("name", "slug", "os", "is_global", "name_prefix", "initial_learning_days")


@transaction.atomic
def create_group(
    reach: Reach,
    *,
    organization_id: UUID,
    name: str,
    os: str,
    slug: str = "",
    is_global: bool = False,
    name_prefix: str = "",
    initial_learning_days: int = 21,
    is_template: bool = False,
) -> ComputerGroup:
    """Create a computer group (with its Default Deny, which the floor above adds).

    A global group needs the capability to act globally. A template never holds a computer.
    Raises Invalid, Refused or Conflict.
    """
    _require_group_write(reach, organization_id, is_global=is_global)
    organization = queries.organization(reach, organization_id)
    name = checked_name(name)
    _check_group(is_global=is_global, name_prefix=name_prefix, os=os)
    siblings = ComputerGroup.objects.within(reach).filter(organization_id=organization_id)
    _check_group_name(siblings, name)
    made: ComputerGroup = ComputerGroup.objects.within(reach).create(
        organization=organization,
        name=name,
        slug=_free_group_slug(siblings, slug, name),
        os=os,
        is_global=is_global,
        name_prefix=name_prefix,
        initial_learning_days=initial_learning_days,
        is_template=is_template,
    )
    journal.record(reach, "group.created", made, organization_id=organization_id, after=told(made, _TOLD))
    _run_group_hooks(reach, made)
    return made


@transaction.atomic
def change_group(reach: Reach, group_id: UUID, **changes: Any) -> ComputerGroup:
    """Change name, slug, name_prefix or initial_learning_days; its system and its kind stay. Locks the
    group.
    """
    seen = queries.group(reach, group_id)
    _require_group_write(reach, seen.organization_id, is_global=seen.is_global)
    found: ComputerGroup = locked(ComputerGroup.objects.within(reach), seen.id)
    before = told(found, _TOLD)
    for fixed in ("os", "is_global"):
        if changes.get(fixed, getattr(found, fixed)) != getattr(found, fixed):
            raise Refused("This is fixed once a group is made. Create another group.", pointer=f"/{fixed}")
    siblings = ComputerGroup.objects.within(reach).filter(organization_id=found.organization_id).exclude(id=found.id)
    if "name" in changes:
        found.name = checked_name(changes["name"])
        _check_group_name(siblings, found.name)
    if "slug" in changes and changes["slug"] != found.slug:
        found.slug = _free_group_slug(siblings, changes["slug"], found.name)
    found.name_prefix = changes.get("name_prefix", found.name_prefix)
    _check_group(is_global=found.is_global, name_prefix=found.name_prefix, os=found.os)
    found.initial_learning_days = changes.get("initial_learning_days", found.initial_learning_days)
    save_and_tell(reach, "group.changed", found, found.organization_id, before, _TOLD)
    _run_group_hooks(reach, found)
    return found


@transaction.atomic
def delete_group(reach: Reach, group_id: UUID) -> None:
    """Delete a group without computers. Raises Refused when computers, or things that name it, are left."""
    found = queries.group(reach, group_id)
    _require_group_write(reach, found.organization_id, is_global=found.is_global)
    count = Computer.objects.within(reach).filter(group=found).count()
    if count:
        raise Refused(f"{found.name} still holds {count} computers. Move them first.", code="not_empty")
    journal.record(reach, "group.deleted", found, organization_id=found.organization_id, before=told(found, _TOLD))
    delete(found)


def _require_group_write(reach: Reach, organization_id: UUID, *, is_global: bool) -> None:
    reach.require(Capability.COMPUTER_WRITE, organization_id)
    if is_global:
        reach.require(Capability.GLOBAL_WRITE, organization_id)


def _run_group_hooks(reach: Reach, group: ComputerGroup) -> None:
    for hook in registry.group_hooks:
        hook(reach, group)


def _check_group(*, is_global: bool, name_prefix: str, os: str) -> None:
    if os not in OperatingSystem.values:
        raise Invalid([FieldError("/os", f"One of {', '.join(OperatingSystem.values)}.")])
    if name_prefix and not is_global:
        raise Refused("Only a global group gathers computers by the name of their group.", pointer="/name_prefix")


def _check_group_name(siblings: QuerySet[ComputerGroup], name: str) -> None:
    if siblings.filter(name__iexact=name).exists():
        raise Conflict(f"There is a group called {name} already.")


def _free_group_slug(siblings: QuerySet[ComputerGroup], slug: str, name: str) -> str:
    return pick_slug(slug, name, set(siblings.values_list("slug", flat=True)))
