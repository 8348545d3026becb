"""One-time links with which a person sets a password. Shown or mailed once, stored as SHA-256, good for three days."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from smtplib import SMTPException
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from portal.accounts.models import Invitation, User
from portal.accounts.sessions import end_sessions
from portal.common import clock
from portal.tenants import journal
from portal.tenants.reach import Actor, Reach, system_reach
from portal.tenants.scoping import reaching

log = structlog.get_logger(__name__)

GOOD_FOR = timedelta(days=3)


def make_link(reach: Reach, user: User, organization_id: UUID) -> str:
    """The address of a new one-time link; former unused ones end."""
    now = clock.now()
    Invitation.objects.within(reach).filter(user=user, used_at=None).update(used_at=now)
    secret = secrets.token_urlsafe(32)
    Invitation.objects.within(reach).create(
        user=user, organization_id=organization_id, secret_sha256=_digest(secret), expires_at=now + GOOD_FOR
    )
    return f"{settings.PORTAL_URL}{reverse('invitation-open', args=[secret])}"


def mail_link(user: User, link: str) -> bool:
    """Whether the link goes to the person by mail, once the transaction is committed. A failing mail server is only
    logged: the link is on the screen of whoever made it."""
    if not settings.SENDS_MAIL or not link:
        return False
    text = render_to_string("accounts/invitation_mail.txt", {"link": link, "days": GOOD_FOR.days})
    transaction.on_commit(lambda: _mail(user, text), robust=True)
    return True


def _mail(user: User, text: str) -> None:
    try:
        send_mail("Your access to Portcullis", text, None, [user.email])
    except (OSError, SMTPException) as error:
        log.warning("invitation.not_mailed", user=str(user.id), error=str(error))


def invited_by(secret: str) -> User | None:
    """The person whom a live link is for; None for anything else."""
    with reaching(system_reach("look up an invitation")) as system:
        found = _live(system, secret)
        return found.user if found else None


@transaction.atomic
def accept(secret: str, *, password: str, address: str = "") -> User | None:
    """Set the password that the link allows, once; None when the link is no longer good.

    All sessions of the person end; the second factor stays. Raises ValidationError for a weak password.
    """
    with reaching(system_reach("accept an invitation")) as system:
        found = _live(system, secret, lock=True)
        if found is None:
            return None
        user = found.user
        validate_password(password, user)
        user.set_password(password)
        user.save(update_fields=["password"])
        found.used_at = clock.now()
        found.save(update_fields=["used_at"])
        end_sessions(user)
        actor = Reach(Actor("user", str(user.id), str(user), address), everything=True)
        journal.record(actor, "person.password_set", user, organization_id=found.organization_id)
        return user


def _live(reach: Reach, secret: str, *, lock: bool = False) -> Invitation | None:
    rows = Invitation.objects.within(reach).select_related("user")
    if lock:
        rows = rows.select_for_update(of=("self",))
    found: Invitation | None = rows.filter(
        secret_sha256=_digest(secret), used_at=None, expires_at__gt=clock.now(), user__is_active=True
    ).first()
    return found


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
