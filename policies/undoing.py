"""Taking back in one step what was done in one step. Who does something undoable keeps what was, here; the reversal
of its kind puts it back, or says what has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from policies.models import UndoStep
from policies.scopes import lock_organization
from portal.common import clock
from portal.common.errors import Conflict, NotFound
from portal.tenants import journal
from portal.tenants.queries import as_uuid
from portal.tenants.reach import Reach

Reversal = Callable[[Reach, Mapping[str, Any]], None]

KEPT = timedelta(days=90)

_reversals: dict[str, Reversal] = {}


def reversal(kind: str) -> Callable[[Reversal], Reversal]:
    """Register what undoes steps of `kind`: `(reach, payload)`, called with the organization locked, inside the
    transaction. It requires its own capabilities, raises Conflict when something else changed meanwhile, and counts
    its change. The module that registers must be imported by `policies.apps`.
    """

    def register(function: Reversal) -> Reversal:
        if kind in _reversals:
            raise ValueError(f"{kind} has a reversal already")
        _reversals[kind] = function
        return function

    return register


def keep_undo(reach: Reach, *, organization_id: UUID, kind: str, summary: str, payload: Mapping[str, Any]) -> UndoStep:
    """Keep what undoing needs, in the transaction of the write. `payload` is plain JSON; `summary` says what.

    Steps of an organization older than `KEPT` go: by then undoing would be a surprise.
    """
    old = UndoStep.objects.within(reach).filter(organization_id=organization_id, created_at__lt=clock.now() - KEPT)
    old.delete()
    step = UndoStep(
        organization_id=organization_id,
        kind=kind,
        summary=summary[:300],
        payload=dict(payload),
        actor_id=reach.actor.id,
        actor_name=reach.actor.name,
        created_at=clock.now(),
    )
    step.save(force_insert=True)
    return step


def undo_steps(reach: Reach, organization_id: UUID | None = None) -> QuerySet[UndoStep]:
    """The steps in reach that can be undone, or were, newest first."""
    found = UndoStep.objects.within(reach).select_related("organization")
    return found if organization_id is None else found.filter(organization_id=organization_id)


def undo_step(reach: Reach, step_id: UUID | str) -> UndoStep:
    """One step in reach. Raises NotFound."""
    found: UndoStep | None = undo_steps(reach).filter(id=as_uuid(step_id)).first()
    if found is None:
        raise NotFound
    return found


@transaction.atomic
def undo(reach: Reach, step_id: UUID | str) -> UndoStep:
    """Take a step back. Raises NotFound, Forbidden, Conflict when it is undone already or when something that it
    touched was changed since. Locks the organization.
    """
    organization_id = undo_step(reach, step_id).organization_id
    organization = lock_organization(reach, organization_id)
    step = undo_step(reach, step_id)
    if step.undone_at is not None:
        raise Conflict(f"“{step.summary}” was undone by {step.undone_by} already.")
    put_back = _reversals.get(step.kind)
    if put_back is None:
        raise Conflict(f"“{step.summary}” was done by another version of the portal, which knew how to undo it.")
    put_back(reach, step.payload)
    step.undone_at, step.undone_by = clock.now(), reach.actor.name
    step.save(update_fields=["undone_at", "undone_by"])
    journal.record(reach, f"{step.kind}.undone", organization, organization_id=organization_id, step=step.summary)
    return step
