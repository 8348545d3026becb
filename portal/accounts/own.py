"""What people change about themselves: their name and time zone, and where they are signed in."""

from __future__ import annotations

from django.db import transaction

from portal.accounts import sessions
from portal.accounts.models import User
from portal.accounts.people import home_of
from portal.tenants import journal
from portal.tenants.administration.naming import check_time_zone, checked_name
from portal.tenants.reach import Reach


@transaction.atomic
def change_own_profile(reach: Reach, *, user: User, name: str, time_zone: str) -> None:
    """What a person may change about themselves. Raises Invalid."""
    check_time_zone(time_zone or "UTC")
    before = {"name": user.name, "time_zone": user.time_zone}
    user.name, user.time_zone = checked_name(name), time_zone
    after = {"name": user.name, "time_zone": user.time_zone}
    home = home_of(user)
    if before != after:
        user.save(update_fields=["name", "time_zone"])
        if home is not None:
            journal.record(reach, "person.renamed", user, organization_id=home, before=before, after=after)


@transaction.atomic
def end_own_session(reach: Reach, *, user: User, session_id: int, current_key: str | None) -> bool:
    """End one of one's own sessions. True, and nothing done, for the present one: that is ended by signing out.
    Raises NotFound."""
    is_current = sessions.end_session(user, session_id, current_key=current_key)
    if not is_current:
        _tell(reach, user, sessions_ended=1)
    return is_current


@transaction.atomic
def end_own_other_sessions(reach: Reach, *, user: User, current_key: str | None) -> int:
    """End all of one's own sessions but the present one; how many."""
    ended = sessions.end_sessions(user, but_key=current_key)
    _tell(reach, user, sessions_ended=ended)
    return ended


def _tell(reach: Reach, user: User, *, sessions_ended: int) -> None:
    home = home_of(user)
    if home is not None and sessions_ended:
        journal.record(reach, "person.sessions_ended", user, organization_id=home, sessions_ended=sessions_ended)
