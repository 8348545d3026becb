"""Reads of organizations, computer groups, computers and the System Audit. Ids and slugs are both taken."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, Q, QuerySet

from portal.common.errors import NotFound, Refused
from portal.common.uuid7 import is_uuid
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Entry, Organization
from portal.tenants.reach import Reach


def as_uuid(reference: UUID | str) -> UUID:
    """The id that a text spells. Raises NotFound, because no such thing can exist."""
    if isinstance(reference, UUID):
        return reference
    try:
        return UUID(reference)
    except (ValueError, AttributeError) as error:
        raise NotFound from error


def organizations(reach: Reach) -> QuerySet[Organization]:
    """The organizations in reach (those above are not among them), by name."""
    return (
        Organization.objects.within(reach)
        .filter(Q() if reach.everything else Q(id__in=reach.organizations))
        .select_related("parent")
        .order_by("name", "id")
    )


def beneath(reach: Reach, organization_id: UUID) -> set[UUID]:
    """An organization and all beneath it, as far as they are in reach. One statement."""
    children: dict[UUID | None, list[UUID]] = {}
    for key, parent in Organization.objects.within(reach).values_list("id", "parent_id"):
        children.setdefault(parent, []).append(key)
    found, waiting = {organization_id}, [organization_id]
    while waiting:
        below = [key for key in children.get(waiting.pop(), []) if key not in found]
        found.update(below)
        waiting.extend(below)
    return found


def topmost(reach: Reach, capability: Capability) -> list[UUID]:
    """Where the reach has `capability`, without what lies beneath another such organization, by id: what concerns a
    whole tree is told there once, not once a customer. One statement."""
    parents = dict(Organization.objects.within(reach).values_list("id", "parent_id"))
    held = {organization_id for organization_id in parents if reach.can(capability, organization_id)}
    return sorted(organization_id for organization_id in held if parents[organization_id] not in held)


def organization(reach: Reach, reference: UUID | str) -> Organization:
    """One organization in reach, by id or slug. Raises NotFound."""
    by = Q(id=as_uuid(reference)) if isinstance(reference, UUID) or is_uuid(reference) else Q(slug=reference)
    found = organizations(reach).filter(by).first()
    if found is None:
        raise NotFound
    return found


def groups(reach: Reach, organization_id: UUID | None = None) -> QuerySet[ComputerGroup]:
    """Computer groups in reach with `computer_count`, and the global groups of organizations above; by
    name.
    """
    found = ComputerGroup.objects.within(reach).select_related("organization")
    if organization_id is not None:
        found = found.filter(organization_id=organization_id)
    counted: QuerySet[ComputerGroup] = found.annotate(computer_count=Count("computers"))
    return counted.order_by("name", "id")


def group(reach: Reach, reference: UUID | str) -> ComputerGroup:
    """One computer group, by id, by `organization/slug`, or by a slug that only one group in reach has.

    Raises NotFound, or Refused when several groups have the slug.
    """
    found = groups(reach)
    if isinstance(reference, UUID) or is_uuid(reference):
        found = found.filter(id=reference)
    elif "/" in reference:
        owner, _, slug = reference.partition("/")
        found = found.filter(organization__slug=owner, slug=slug)
    else:
        found = found.filter(slug=reference)
    matches = list(found[:2])
    if not matches:
        raise NotFound
    if len(matches) > 1:
        raise Refused(
            f"Several groups are called {reference}. Name one by its id, or as organization/{reference}.",
            code="ambiguous",
        )
    return matches[0]


def global_groups_above(reach: Reach) -> QuerySet[ComputerGroup]:
    """Global groups of organizations above those in reach: they hold computers in reach by rule."""
    return groups(reach).filter(organization_id__in=reach.ancestors, is_global=True)


def computers_held_by(reach: Reach, group: ComputerGroup) -> QuerySet[Computer]:
    """The computers in reach that a group holds: its own, or by rule when it is global; by name."""
    return computers(reach).filter(held_by(group))


def held_by(group: ComputerGroup) -> Q:
    """The condition for being held by `group`. A global group holds computers of its organization and beneath; that
    a caller only asks within a reach keeps it to these."""
    if not group.is_global:
        return Q(group=group)
    return Q(os=group.os) & (Q(group__name__istartswith=group.name_prefix) if group.name_prefix else Q())


def computers(reach: Reach, organization_id: UUID | None = None) -> QuerySet[Computer]:
    """Computers in reach with their group and organization, by name."""
    found = Computer.objects.within(reach).select_related("organization", "group")
    if organization_id is not None:
        found = found.filter(organization_id=organization_id)
    return found.order_by("name", "id")


def computer(reach: Reach, computer_id: UUID | str) -> Computer:
    """One computer in reach, by id. Raises NotFound."""
    found = computers(reach).filter(id=as_uuid(computer_id)).first()
    if found is None:
        raise NotFound
    return found


def entries(reach: Reach, organization_id: UUID | None = None) -> QuerySet[Entry]:
    """Entries of the System Audit of the organizations in reach, newest first."""
    found = Entry.objects.within(reach)
    if organization_id is not None:
        found = found.filter(organization_id=organization_id)
    return found.order_by("-at", "-id")


def entry(reach: Reach, organization_id: UUID, entry_id: UUID | str) -> Entry:
    """One entry of an organization's System Audit. Raises NotFound."""
    found = entries(reach, organization_id).filter(id=as_uuid(entry_id)).first()
    if found is None:
        raise NotFound
    return found
