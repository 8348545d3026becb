"""An own copy of an application: of a built-in one, of a parent's, or of one's own, to change it freely."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.db import transaction

from policies import queries
from policies.catalogue import create_application, draft_of
from policies.models import Application
from policies.rule_rows import save_rules
from portal.common.errors import NotFound
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

_NAME_LIMIT = 120


@transaction.atomic
def duplicate_application(reach: Reach, application_id: UUID, *, organization_id: UUID, name: str = "") -> Application:
    """A custom application of `organization_id` with the same rules and description; policies stay with the original.

    The original is one that policies of that organization may name. Without `name`: the original's, or with "copy"
    where that is taken. Raises NotFound, Forbidden, Invalid, Conflict for a taken name. Locks the organization.
    """
    reach.require(Capability.APPLICATION_WRITE, organization_id)
    original = queries.applications_for(reach, organization_id).filter(id=application_id).first()
    if original is None:
        raise NotFound
    return copy_application(
        reach, original, organization_id=organization_id, name=name or _free_name(reach, original.name, organization_id)
    )


@transaction.atomic
def copy_application(
    reach: Reach, original: Application, *, organization_id: UUID, name: str = "", with_notes: bool = True
) -> Application:
    """An application of `organization_id` with all that `original` says of itself and its rules; named like it unless
    said. The caller has seen that the original may be read. Notes are for the organization that wrote them: without
    them where the original is not one that it may name. Raises Forbidden, Refused, Conflict for a taken name.
    """
    copy = create_application(
        reach,
        organization_id=organization_id,
        name=name or original.name,
        os=original.os,
        description=original.description,
        publisher=original.publisher,
        category=original.category,
    )
    drafts = [draft_of(rule) for rule in queries.rules_of(reach, original.id)]
    save_rules(reach, copy, drafts if with_notes else [replace(draft, note="") for draft in drafts])
    copy.risk, copy.suggested_ringfence = original.risk, original.suggested_ringfence
    copy.source = original.source
    copy.save(update_fields=["risk", "suggested_ringfence", "source", "changed_at"])
    after = {"name": copy.name, "copied_from": str(original.id), "original": original.name, "rules": len(drafts)}
    journal.record(reach, "application.copied", copy, organization_id=organization_id, after=after)
    return copy


def _free_name(reach: Reach, name: str, organization_id: UUID) -> str:
    own = Application.objects.within(reach).filter(organization_id=organization_id)
    taken = {text.lower() for text in own.values_list("name", flat=True)}
    number, free = 1, name
    while free.lower() in taken:
        ending = " copy" if number == 1 else f" copy {number}"
        free, number = f"{name[: _NAME_LIMIT - len(ending)]}{ending}", number + 1
    return free
