"""Steps that can be undone: once, by what knows how, and not for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from policies import undoing
from policies.models import UndoStep
from portal.common import clock
from portal.common.errors import Conflict, NotFound
from portal.tenants.models import Organization
from portal.tenants.reach import Reach


def keep(reach: Reach, organization: Organization, kind: str = "gone.kind") -> UndoStep:
    return undoing.keep_undo(reach, organization_id=organization.id, kind=kind, summary="Something", payload={})


def test_a_step_of_another_version_says_so_and_stays(reach: Reach, able_moose: Organization) -> None:
    step = keep(reach, able_moose)
    with pytest.raises(Conflict, match="another version"):
        undoing.undo(reach, step.id)
    step.refresh_from_db()
    assert step.undone_at is None


def test_steps_are_kept_for_ninety_days(reach: Reach, able_moose: Organization) -> None:
    with time_machine.travel(clock.now() - undoing.KEPT - timedelta(days=1), tick=False):
        old = keep(reach, able_moose)
    young = keep(reach, able_moose)
    assert [step.id for step in undoing.undo_steps(reach, able_moose.id)] == [young.id]
    with pytest.raises(NotFound):
        undoing.undo(reach, old.id)
