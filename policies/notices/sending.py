"""Sending what is due. Each row is mailed and settled on its own: a crash may send one mail twice, and loses none."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection
from django.db.models import F, Q
from django.template.loader import render_to_string

from policies.engine.sentences import visible
from policies.models import Action, Notice
from policies.notices.examples import recent_denials
from policies.notices.people import still_reaches
from policies.notices.waiting import due_at
from portal.common import clock
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

log = structlog.get_logger(__name__)

SENDER_LOCK = 0x6D61696C
_SECONDS = 15.0
_RETRIES = (1, 5, 15, 60, 240)
_CLAIM = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Sent:
    """How many mails went out, and how many could not."""

    sent: int = 0
    failed: int = 0


def send_due() -> Sent:
    """Send the mails that are due, for a quarter of a minute at most. Safe to run at any time, twice at once (the
    second does nothing), or never for a while."""
    with _alone() as is_alone:
        return _send_all() if is_alone else Sent()


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this is the only sender. The lock belongs to the connection: it goes with a worker that dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [SENDER_LOCK])
        is_alone = bool(cursor.fetchone()[0])
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [SENDER_LOCK])


def _send_all() -> Sent:
    sent = failed = 0
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        claimed = _claim()
        if claimed is None:
            break
        if _send(*claimed):
            sent += 1
        else:
            failed += 1
    return Sent(sent, failed)


def _claim() -> tuple[UUID, int] | None:
    """One due notice and the number it tells, put off for ten minutes: one that kills its worker waits that long."""
    now = clock.now()
    with reaching(system_reach("send a notice")) as system:
        due = Notice.objects.within(system).filter(due_at__lte=now, waiting__gt=0)
        found = due.select_for_update(skip_locked=True, of=("self",)).order_by("due_at", "id").first()
        if found is None:
            return None
        Notice.objects.within(system).filter(id=found.id).update(due_at=now + _CLAIM)
        return found.id, found.waiting


def _send(notice_id: UUID, count: int) -> bool:
    with reaching(system_reach("send a notice")) as system:
        found = Notice.objects.within(system).select_related("policy", "organization").filter(id=notice_id).first()
        if found is None:
            return True
        policy = found.policy
        is_wanted = policy.action == Action.DENY and found.email in policy.notify
        if not is_wanted or not still_reaches(found.email, policy.organization_id):
            Notice.objects.within(system).filter(id=found.id).delete()
            return True
        subject, text = _words(system, found, count)
    fault = _mail(subject, text, found.email)
    with reaching(system_reach("settle a notice")) as system:
        _settle(system, notice_id, count, fault)
    return not fault


def _words(reach: Reach, notice: Notice, count: int) -> tuple[str, str]:
    """Subject and text. Nothing that a computer sent is in the subject."""
    policy = notice.policy
    subject = " ".join(f"Portcullis: {visible(policy.name)} stopped {count:,} at {policy.organization.name}".split())
    since = notice.waiting_since or clock.now()
    context = {
        "policy": policy,
        "count": count,
        "since": since,
        "examples": recent_denials()(reach, policy, since - timedelta(hours=1)),
        "link": f"{settings.PORTAL_URL}/o/{policy.organization.slug}/policies/{policy.id}/edit/",
        "audit": f"{settings.PORTAL_URL}/o/{policy.organization.slug}/audit/?policy={policy.id}",
    }
    return subject[:200], render_to_string("policies/mail/denied.txt", context)


def _mail(subject: str, text: str, address: str) -> str:
    """Send one mail; why not, in words, when it failed."""
    try:
        send_mail(subject, text, None, [address])
    except (OSError, smtplib.SMTPException, ValueError) as error:
        log.warning("notice.not_sent", error=str(error))
        return str(error)[:300] or type(error).__name__
    return ""


def _settle(reach: Reach, notice_id: UUID, count: int, fault: str) -> None:
    now = clock.now()
    mine = Notice.objects.within(reach).filter(id=notice_id)
    if fault:
        tries = mine.values_list("tries", flat=True).first() or 0
        wait = timedelta(minutes=_RETRIES[min(tries, len(_RETRIES) - 1)])
        mine.update(tries=F("tries") + 1, failed_at=now, failure=fault, due_at=now + wait)
        return
    mine.update(
        waiting=F("waiting") - count, told_at=now, told_count=count, tries=0, failed_at=None, failure="",
        waiting_since=None, due_at=None,
    )  # fmt: skip
    left = mine.filter(~Q(waiting=0)).first()
    if left is not None:
        mine.update(due_at=due_at(left, left.waiting, now), waiting_since=now)
