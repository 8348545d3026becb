"""Deleting what has ended by itself: sessions past their date, and the list entries about them."""

from __future__ import annotations

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef

from portal.common import clock


def forget_ended_sessions() -> int:
    """Delete sessions past their date, and what was noted about sessions that are gone; how many rows."""
    ended: int = Session.objects.filter(expire_date__lt=clock.now()).delete()[0]
    living = Session.objects.filter(session_key=OuterRef("session_key"))
    orphans: int = UserSession.objects.filter(~Exists(living)).delete()[0]
    return ended + orphans
