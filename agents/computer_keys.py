"""A computer's keys as a technician sees them: let a returning machine in, shut a stolen key out."""

from __future__ import annotations

import functools
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agents import enrolment, wake
from agents.models import ComputerKey
from agents.models.identity import KeyState
from portal.common import clock
from portal.common.errors import Conflict, NotFound
from portal.tenants import journal
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach


@transaction.atomic
def ban_computer_key(reach: Reach, key_id: UUID, *, reason: str = "") -> ComputerKey:
    """Shut a key out for ever, from its next request on. The computer keeps its last bundle and hears nothing more.

    Banning twice changes nothing. Raises NotFound, Forbidden.
    """
    key = _locked(reach, key_id)
    if key.state == KeyState.BANNED:
        return key
    _change(reach, key, KeyState.BANNED, "computer_key.banned", reason)
    return key


@transaction.atomic
def approve_computer_key(reach: Reach, key_id: UUID) -> ComputerKey:
    """Let a machine that enrolled again in; the key it had before is banned. Raises NotFound, Forbidden, Conflict."""
    key = _locked(reach, key_id)
    if key.state != KeyState.PENDING:
        raise Conflict("This key is not waiting: somebody decided about it already.")
    for old in ComputerKey.objects.within(reach).filter(computer=key.computer, state=KeyState.ACTIVE):
        _change(reach, old, KeyState.BANNED, "computer_key.banned", f"replaced by {key}")
    _change(reach, key, KeyState.ACTIVE, "computer_key.approved", "")
    enrolment.owe_bundle(key.computer, clock.now())
    return key


def computer_keys(reach: Reach, computer_id: UUID) -> QuerySet[ComputerKey]:
    """All keys of one computer, newest first."""
    return ComputerKey.objects.within(reach).filter(computer_id=computer_id)


def _locked(reach: Reach, key_id: UUID) -> ComputerKey:
    key = (
        ComputerKey.objects.within(reach)
        .select_for_update(of=("self",))
        .select_related("computer")
        .filter(pk=key_id)
        .first()
    )
    if key is None:
        raise NotFound
    reach.require(Capability.COMPUTER_WRITE, key.organization_id)
    return key


def _change(reach: Reach, key: ComputerKey, state: KeyState, verb: str, reason: str) -> None:
    before, key.state, key.changed_at = key.state, state, clock.now()
    key.save(update_fields=["state", "changed_at"])
    journal.record(
        reach,
        verb,
        key.computer,
        organization_id=key.organization_id,
        before={"state": before},
        after={"state": state},
        key=key.key_id,
        reason=reason[:500],
    )
    if state == KeyState.BANNED:
        transaction.on_commit(functools.partial(wake.revoke, key.key_id), robust=True)
