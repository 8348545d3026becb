"""What a person wants a policy to be: its fields, and the checks that need no other row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from policies import ringfence
from policies.engine.schedule import UnreadableSchedule, check_schedule
from policies.models import Action, Policy, Status
from policies.schedules import window_values
from policies.scopes import Scope, scope_of
from portal.common import clock
from portal.common.errors import FieldError, Invalid

_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_LIMITS = {"name": 160, "description": 2000, "owner": 200, "reason": 1000, "ticket": 120}
MOST_WINDOWS = 50
MOST_USERS = 500
MOST_NOTIFIED = 20
MOST_APPLICATIONS = 100


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """A policy as it is asked for. `schedule`: `{"day": 0-6, "start": "HH:MM", "end": "HH:MM"}`, Monday is 0."""

    name: str
    scope: Scope
    applications: tuple[UUID, ...]
    action: Action = Action.PERMIT
    status: Status = Status.INHERIT
    enabled: bool = True
    description: str = ""
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    schedule: tuple[Mapping[str, Any], ...] = ()
    users: tuple[str, ...] = ()
    allow_request: bool = True
    kill_running: bool = False
    notify: tuple[str, ...] = ()
    log: bool = True
    ringfence: Mapping[str, Any] | None = None
    owner: str = ""
    reason: str = ""
    ticket: str = ""

    def columns(self) -> dict[str, Any]:
        """The columns of a policy row, without its applications."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("scope", "applications")}
        return {**plain, **self.scope.columns(), **self._lists()}

    def _lists(self) -> dict[str, Any]:
        return {"schedule": list(self.schedule), "users": list(self.users), "notify": list(self.notify)}


def draft_of(policy: Policy, applications: Sequence[UUID]) -> PolicyDraft:
    """The draft that would leave `policy` as it is."""
    plain = {f.name: getattr(policy, f.name) for f in fields(PolicyDraft) if f.name not in ("scope", "applications")}
    plain.update(action=Action(policy.action), status=Status(policy.status))
    plain.update(schedule=tuple(policy.schedule), users=tuple(policy.users), notify=tuple(policy.notify))
    return PolicyDraft(scope=scope_of(policy), applications=tuple(applications), **plain)


@dataclass(slots=True)
class _Faults:
    found: list[FieldError] = field(default_factory=list)

    def add(self, pointer: str, detail: str) -> None:
        self.found.append(FieldError(pointer, detail))


def check_draft(draft: PolicyDraft, time_zone: str, *, was: PolicyDraft | None = None) -> None:
    """Raise Invalid with every fault of form. `was` is the policy before: an expiry left alone may be past."""
    faults = _Faults()
    if not draft.name.strip():
        faults.add("/name", "Give the policy a name.")
    for name, limit in _LIMITS.items():
        if len(getattr(draft, name)) > limit:
            faults.add(f"/{name}", f"This may have {limit} characters at most.")
    if not draft.applications:
        faults.add("/applications", "Choose at least one application.")
    if len(draft.applications) > MOST_APPLICATIONS:
        faults.add("/applications", f"A policy takes {MOST_APPLICATIONS} applications at most.")
    _check_dates(draft, was, faults)
    _check_schedule(draft.schedule, time_zone, faults)
    _check_users(draft.users, faults)
    _check_action(draft, faults)
    if faults.found:
        raise Invalid(faults.found)


def _check_dates(draft: PolicyDraft, was: PolicyDraft | None, faults: _Faults) -> None:
    changed = was is None or was.expires_at != draft.expires_at
    if draft.expires_at is None:
        return
    if changed and draft.expires_at <= clock.now():
        faults.add("/expires_at", "This is past. To stop a policy now, disable it.")
    if draft.starts_at is not None and draft.starts_at >= draft.expires_at:
        faults.add("/expires_at", "It must expire after it starts.")


def _check_schedule(schedule: Sequence[Mapping[str, Any]], time_zone: str, faults: _Faults) -> None:
    if len(schedule) > MOST_WINDOWS:
        faults.add("/schedule", f"A schedule takes {MOST_WINDOWS} windows at most.")
        return
    for index, window in enumerate(schedule):
        pointer = f"/schedule/{index}"
        if set(window) != {"day", "start", "end"} or window["day"] not in range(7):
            faults.add(pointer, "A window has a day (0 is Monday, 6 is Sunday), a start and an end.")
        elif not _TIME.fullmatch(str(window["start"])):
            faults.add(f"{pointer}/start", "Write the time like 08:30.")
        elif window["end"] != "24:00" and not _TIME.fullmatch(str(window["end"])):
            faults.add(f"{pointer}/end", "Write the time like 17:30; the end of the day is 24:00.")
        else:
            _check_window(window, time_zone, pointer, faults)


def _check_window(window: Mapping[str, Any], time_zone: str, pointer: str, faults: _Faults) -> None:
    try:
        check_schedule(window_values([window]), time_zone)
    except UnreadableSchedule:
        faults.add(f"{pointer}/end", "Start and end must differ; a day that ends at midnight ends at 24:00.")


def _check_users(users: Sequence[str], faults: _Faults) -> None:
    if len(users) > MOST_USERS:
        faults.add("/users", f"A policy takes {MOST_USERS} users at most; leave the list empty for everyone.")
    for index, user in enumerate(users):
        if not user.strip() or len(user) > 256:
            faults.add(f"/users/{index}", "A user name has 1 to 256 characters.")


def _check_action(draft: PolicyDraft, faults: _Faults) -> None:
    if draft.action == Action.PERMIT_RINGFENCED:
        for pointer, detail in ringfence.faults(draft.ringfence):
            faults.add(f"/ringfence{pointer}", detail)
    elif draft.ringfence is not None:
        faults.add("/ringfence", "A ringfence belongs to the action permit_ringfenced.")
    if draft.kill_running and draft.action != Action.DENY:
        faults.add("/kill_running", "Only a deny can end running programs.")
    if draft.notify and draft.action != Action.DENY:
        faults.add("/notify", "Only a deny stops something that people can be told of.")
    if len(draft.notify) > MOST_NOTIFIED:
        faults.add("/notify", f"A policy tells {MOST_NOTIFIED} people at most.")
