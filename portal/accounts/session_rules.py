"""What a session must satisfy beside the right password: a second factor where the role asks for one, an end
when nobody uses it, and an end in any case."""

from __future__ import annotations

import time

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpRequest

from portal.accounts.models import Membership, User
from portal.common import clock
from portal.common.errors import Forbidden
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
_STARTED, _SEEN = "started_at", "seen_at"
_SEEN_EVERY_SECONDS = 60
_FRESH_SECONDS = 300


def begin(request: HttpRequest) -> None:
    """Start the session's clocks: a new sign-in, whatever was there before."""
    request.session[_STARTED] = request.session[_SEEN] = int(time.time())


def end_reason(request: HttpRequest) -> str:
    """Why the session is over, in words for the person; empty while it may go on."""
    now = time.time()
    started, seen = request.session.get(_STARTED), request.session.get(_SEEN)
    if started is None or seen is None:
        begin(request)
        return ""
    if now - started > settings.SESSION_COOKIE_AGE:
        return "You were signed out after twelve hours. Sign in again to go on."
    if now - seen > settings.SESSION_IDLE_SECONDS:
        minutes = settings.SESSION_IDLE_SECONDS // 60
        return f"You were signed out after {minutes} minutes without a step. Sign in again to go on."
    return ""


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person signed in within the last five minutes."""
    return bool(time.time() - request.session.get(_STARTED, 0) < _FRESH_SECONDS)


def note_use(request: HttpRequest) -> None:
    """Remember that the session is in use, at most once a minute."""
    now = int(time.time())
    if now - request.session.get(_SEEN, 0) >= _SEEN_EVERY_SECONDS:
        request.session[_SEEN] = now
        UserSession.objects.filter(session_key=request.session.session_key).update(last_seen_at=clock.now())


def asks_for_second_factor(user: User) -> bool:
    """Whether one of the person's roles asks for a second factor (MFA_REQUIRED_ROLES)."""
    if not settings.MFA_REQUIRED_ROLES:
        return False
    with reaching(system_reach("find a person's roles")) as system:
        held = Membership.objects.within(system).filter(user=user, role__in=settings.MFA_REQUIRED_ROLES)
        return bool(held.exists())


def lacks_second_factor(user: User) -> bool:
    """Whether a second factor is asked for and there is none yet."""
    if not settings.MFA_REQUIRED_ROLES or Authenticator.objects.filter(user=user, type__in=FACTORS).exists():
        return False
    return asks_for_second_factor(user)


def require_second_factor(user: User) -> None:
    """Raise Forbidden while the second factor that the person's role asks for is not set up."""
    if lacks_second_factor(user):
        raise Forbidden("", "Your role asks for a passkey or an authenticator app. Set one up first.")


def factors_of(user: User) -> list[Authenticator]:
    """The person's second factors and recovery codes, by kind, the oldest first."""
    return list(Authenticator.objects.filter(user=user).order_by("type", "created_at"))
