"""Modes of computers and groups: how they treat what policies would deny, until when, who said so and why.

The end travels in the signed bundle: a computer goes back by itself, whether or not it reaches the portal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from django.db import transaction

from policies import changes, queries
from policies.models import Level, ModeWindow
from policies.scopes import Scope, lock_organization
from portal.common import clock
from portal.common.errors import FieldError, Invalid, NotFound
from portal.tenants import journal
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Computer, ComputerGroup, Mode
from portal.tenants.reach import Reach

LONGEST: dict[Mode, timedelta] = {
    Mode.LEARNING: timedelta(days=90),
    Mode.INSTALLATION: timedelta(hours=24),
    Mode.MONITOR_ONLY: timedelta(days=90),
}
TargetLevel = Literal["computer", "group"]


@dataclass(frozen=True, slots=True)
class ModeDraft:
    """A mode as it is asked for. Learning and installation end; monitor only may go on until it is ended."""

    mode: Mode
    ends_at: datetime | None = None
    application: UUID | None = None
    reason: str = ""
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class ModeState:
    """The mode of one computer or group now. `window` tells since when, by whom and why; None when secured."""

    mode: Mode
    ends_at: datetime | None = None
    window: ModeWindow | None = None


def mode_state(reach: Reach, level: TargetLevel, target_id: UUID | str) -> ModeState:
    """What mode a computer or group is in now, by its own window. Raises NotFound."""
    target = _target(reach, level, target_id)
    if target.mode == Mode.SECURED or (target.mode_ends_at is not None and target.mode_ends_at <= clock.now()):
        return ModeState(Mode.SECURED)
    return ModeState(Mode(target.mode), target.mode_ends_at, _open_window(reach, target))


@transaction.atomic
def set_mode(reach: Reach, level: TargetLevel, target_id: UUID | str, *, draft: ModeDraft) -> ModeState:
    """Put a computer or group into a mode, ending the window it is in. Mode secured ends it only.

    Raises NotFound, Forbidden, Invalid (a missing, past or too distant end). Locks the organization.
    """
    if draft.mode == Mode.SECURED:
        end_mode(reach, level, target_id, reason=draft.reason)
        return ModeState(Mode.SECURED)
    target = _locked(reach, level, target_id)
    now = clock.now()
    _check(reach, target, draft, now)
    before = _told(target)
    _close(reach, target, now)
    scope = Scope(target.organization_id, Level(level), target.id)
    window = ModeWindow(
        **scope.columns(),
        mode=draft.mode,
        started_at=now,
        ends_at=draft.ends_at,
        application_id=draft.application,
        reason=draft.reason,
        ticket=draft.ticket,
        started_by=reach.actor.name,
    )
    window.save(force_insert=True)
    _keep(target, draft.mode, draft.ends_at)
    journal.record(
        reach,
        "mode.started",
        target,
        organization_id=target.organization_id,
        before=before,
        after=_told(target),
        reason=draft.reason,
        ticket=draft.ticket,
    )
    summary = f"{target.name}: {draft.mode.label}"
    changes.bump(reach, scope, verb="mode.started", summary=summary, thing=target)
    return ModeState(draft.mode, draft.ends_at, window)


@transaction.atomic
def end_mode(reach: Reach, level: TargetLevel, target_id: UUID | str, *, reason: str = "") -> None:
    """Back to secured. Does nothing when it is. Raises NotFound, Forbidden. Locks the organization."""
    target = _locked(reach, level, target_id)
    if target.mode == Mode.SECURED:
        return
    before = _told(target)
    _close(reach, target, clock.now())
    _keep(target, Mode.SECURED, None)
    organization_id = target.organization_id
    journal.record(
        reach, "mode.ended", target, organization_id=organization_id, before=before, after=_told(target), reason=reason
    )
    scope = Scope(organization_id, Level(level), target.id)
    changes.bump(reach, scope, verb="mode.ended", summary=f"{target.name}: Secured", thing=target)


@transaction.atomic
def begin_initial_learning(reach: Reach, computer: Computer) -> None:
    """A newly enrolled computer learns for as long as its group says. Called by enrolment, in its transaction.

    Nothing when the group's `initial_learning_days` is 0.
    """
    days = computer.group.initial_learning_days
    if not days:
        return
    now = clock.now()
    ends_at = now + timedelta(days=days)
    scope = Scope(computer.organization_id, Level.COMPUTER, computer.id)
    ModeWindow(
        **scope.columns(),
        mode=Mode.LEARNING,
        started_at=now,
        ends_at=ends_at,
        reason="Initial learning",
        started_by=reach.actor.name,
    ).save(force_insert=True)
    _keep(computer, Mode.LEARNING, ends_at)
    changes.touch(reach, computer.organization_id)


def _target(reach: Reach, level: TargetLevel, target_id: UUID | str) -> Computer | ComputerGroup:
    if level == "computer":
        return tenants.computer(reach, target_id)
    group = tenants.group(reach, target_id)
    if group.is_global or not reach.sees(group.organization_id):
        raise NotFound
    return group


def _locked(reach: Reach, level: TargetLevel, target_id: UUID | str) -> Computer | ComputerGroup:
    target = _target(reach, level, target_id)
    reach.require(Capability.MODE_WRITE, target.organization_id)
    lock_organization(reach, target.organization_id)
    target.refresh_from_db(fields=["mode", "mode_ends_at"])
    return target


def _check(reach: Reach, target: Computer | ComputerGroup, draft: ModeDraft, now: datetime) -> None:
    errors: list[FieldError] = []
    if draft.ends_at is None:
        if draft.mode != Mode.MONITOR_ONLY:
            errors.append(FieldError("/ends_at", f"{draft.mode.label} needs an end."))
    elif draft.ends_at <= now:
        errors.append(FieldError("/ends_at", "This is past."))
    elif draft.ends_at - now > LONGEST[draft.mode]:
        hours = int(LONGEST[draft.mode].total_seconds() // 3600)
        longest = f"{hours // 24} days" if hours > 24 else f"{hours} hours"
        errors.append(FieldError("/ends_at", f"{draft.mode.label} lasts {longest} at most."))
    for name, limit in (("reason", 1000), ("ticket", 120)):
        if len(getattr(draft, name)) > limit:
            errors.append(FieldError(f"/{name}", f"This may have {limit} characters at most."))
    if draft.application is not None:
        visible = queries.applications_for(reach, target.organization_id).filter(id=draft.application)
        if not visible.exists():
            errors.append(FieldError("/application", "There is no such application for this organization."))
    if errors:
        raise Invalid(errors)


def _open_window(reach: Reach, target: Computer | ComputerGroup) -> ModeWindow | None:
    windows = ModeWindow.objects.within(reach).filter(ended_at__isnull=True)
    of = {"target_computer": target} if isinstance(target, Computer) else {"target_group": target}
    found: ModeWindow | None = windows.filter(**of).select_related("application").first()
    return found


def _close(reach: Reach, target: Computer | ComputerGroup, now: datetime) -> None:
    """End the open window; one that ran out by itself ended when it said."""
    window = _open_window(reach, target)
    if window is None:
        return
    ran_out = window.ends_at is not None and window.ends_at <= now
    window.ended_at = window.ends_at if ran_out else now
    window.ended_by = "" if ran_out else reach.actor.name
    window.save(update_fields=["ended_at", "ended_by"])


def _keep(target: Computer | ComputerGroup, mode: Mode, ends_at: datetime | None) -> None:
    target.mode, target.mode_ends_at = mode, ends_at
    target.save(update_fields=["mode", "mode_ends_at"])


def _told(target: Computer | ComputerGroup) -> dict[str, object]:
    return {"mode": target.mode, "ends_at": target.mode_ends_at}
