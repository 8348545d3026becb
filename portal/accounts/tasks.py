"""Tasks of this app: failed sign-ins are written down, what has ended is deleted."""

from __future__ import annotations

from celery import shared_task

from portal.accounts import sign_in_record, tidying
from portal.common.api import idempotency


@shared_task(name="accounts.tidy")
def tidy() -> None:
    idempotency.forget_old()
    tidying.forget_ended_sessions()


@shared_task(name="accounts.note_failed_sign_in")
def note_failed_sign_in(*, user_id: str, address: str) -> None:
    sign_in_record.note_failed(user_id, address=address)
