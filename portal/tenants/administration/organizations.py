"""Creating, changing and deleting organizations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from portal.common import registry
from portal.common.errors import Conflict, Refused
from portal.common.uuid7 import uuid7
from portal.tenants import journal, queries
from portal.tenants.administration.naming import (
    check_time_zone,
    checked_name,
    delete,
    locked,
    pick_slug,
    save_and_tell,
    told,
)
from portal.tenants.capabilities import Capability
from portal.tenants.models import Color, Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

_TOLD = ("name", "slug", "color", "time_zone")


@transaction.atomic
def create_organization(
    reach: Reach,
    *,
    parent_id: UUID,
    name: str,
    slug: str = "",
    time_zone: str = "UTC",
    color: str = "",
) -> Organization:
    """Create a customer beneath `parent_id`. The slug is made from the name unless given.

    It is in the reach of whoever reaches the parent, from the next request on. Raises Invalid or Conflict.
    """
    reach.require(Capability.ORGANIZATION_WRITE, parent_id)
    parent = queries.organization(reach, parent_id)
    name = checked_name(name)
    check_time_zone(time_zone)
    _check_sibling_name(reach, parent_id, name)
    made = Organization(
        id=uuid7(),
        parent=parent,
        name=name,
        slug=_free_slug(slug, name),
        time_zone=time_zone,
        color=color or _next_color(parent_id),
    )
    wider = reach.including(made.id, 0, reach.grants.get(parent_id, frozenset()))
    with reaching(wider):
        made.save(force_insert=True)
        journal.record(wider, "organization.created", made, organization_id=made.id, after=told(made, _TOLD))
        for hook in registry.organization_hooks:
            hook(wider, made)
    return made


@transaction.atomic
def change_organization(reach: Reach, organization_id: UUID, **changes: Any) -> Organization:
    """Change name, slug, time_zone or color; what is not given stays. Locks the organization."""
    reach.require(Capability.ORGANIZATION_WRITE, organization_id)
    found: Organization = locked(Organization.objects.within(reach), organization_id)
    before = told(found, _TOLD)
    if "name" in changes:
        found.name = checked_name(changes["name"])
        if found.parent_id is not None:
            _check_sibling_name(reach, found.parent_id, found.name, but=found.id)
    if "slug" in changes and changes["slug"] != found.slug:
        found.slug = _free_slug(changes["slug"], found.name)
    if "time_zone" in changes:
        check_time_zone(changes["time_zone"])
        found.time_zone = changes["time_zone"]
    found.color = changes.get("color") or found.color
    save_and_tell(reach, "organization.changed", found, found.id, before, _TOLD)
    return found


@transaction.atomic
def delete_organization(reach: Reach, organization_id: UUID) -> None:
    """Delete an organization that holds nothing. Raises Refused with what it still holds."""
    reach.require(Capability.ORGANIZATION_WRITE, organization_id)
    found = queries.organization(reach, organization_id)
    if found.parent_id is None:
        raise Refused("This is the organization that runs the portal; it cannot be deleted.")
    if held := _held(reach, organization_id):
        raise Refused(f"{found.name} still holds {held}. Delete or move these first.", code="not_empty")
    journal.record(reach, "organization.deleted", found, organization_id=found.id, before=told(found, _TOLD))
    delete(found)


def _check_sibling_name(reach: Reach, parent_id: UUID, name: str, *, but: UUID | None = None) -> None:
    siblings = Organization.objects.within(reach).filter(parent_id=parent_id, name__iexact=name)
    if any(sibling.id != but for sibling in siblings):
        raise Conflict(f"There is an organization called {name} there already.")


def _free_slug(slug: str, name: str) -> str:
    """A slug that no organization has: addresses are shared by all tenants, so all are asked."""
    with reaching(system_reach("find a free slug")) as system:
        taken = set(Organization.objects.within(system).values_list("slug", flat=True))
    return pick_slug(slug, name, taken)


def _next_color(parent_id: UUID) -> str:
    with reaching(system_reach("find a free color")) as system:
        used = Organization.objects.within(system).filter(parent_id=parent_id).count()
    return Color.values[(used + 1) % len(Color.values)]


def _held(reach: Reach, organization_id: UUID) -> str:
    """What an organization still holds, in words; empty when nothing."""
    counts = (
        (Organization.objects.within(reach).filter(parent_id=organization_id).count(), "organizations"),
        (Computer.objects.within(reach).filter(organization_id=organization_id).count(), "computers"),
        (ComputerGroup.objects.within(reach).filter(organization_id=organization_id).count(), "computer groups"),
    )
    return ", ".join(f"{count} {words}" for count, words in counts if count)
