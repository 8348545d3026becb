"""Where a person is signed in, and ending it. A session that is ended here is gone with its next request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession

from portal.accounts.models import User
from portal.common.errors import NotFound

# What stands in User-Agent -> word; the first that fits, as most browsers name others, too.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SignedIn:
    """One place where a person is signed in. `id` is the row's, never the session's key."""

    id: int
    address: str
    browser: str
    since: datetime
    last_seen_at: datetime
    is_current: bool

    @property
    def device(self) -> str:
        """The browser and the system that it says to be, in words: Firefox on Windows."""
        browser = next((word for mark, word in _BROWSERS if mark in self.browser), "A program")
        system = next((word for mark, word in _SYSTEMS if mark in self.browser), "")
        return f"{browser} on {system}" if system else browser


def sessions_of(user: User, *, current_key: str | None = None) -> list[SignedIn]:
    """Where `user` is signed in now, the latest first. Forgets sessions that have ended by themselves."""
    found = UserSession.objects.purge_and_list(user)
    found.sort(key=lambda session: session.last_seen_at, reverse=True)
    return [
        SignedIn(
            id=session.pk,
            address=session.ip,
            browser=session.user_agent,
            since=session.created_at,
            last_seen_at=session.last_seen_at,
            is_current=session.session_key == current_key,
        )
        for session in found
    ]


def end_session(user: User, session_id: int, *, current_key: str | None = None) -> bool:
    """End one of the person's sessions. Raises NotFound. True, and nothing done, when it is the current one: that is
    ended by signing out."""
    found = UserSession.objects.filter(user=user, pk=session_id).first()
    if found is None:
        raise NotFound
    if found.session_key == current_key:
        return True
    found.end()
    return False


def end_sessions(user: User, *, but_key: str | None = None) -> int:
    """End all of the person's sessions (but one); how many."""
    ended = 0
    for session in UserSession.objects.filter(user=user).exclude(session_key=but_key or ""):
        session.end()
        ended += 1
    return ended
