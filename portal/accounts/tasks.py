"""Periodic tidying of this app: what has ended is deleted. Safe to run any number of times, or not at all."""

from __future__ import annotations

from celery import shared_task

from portal.accounts import tidying
from portal.common.api import idempotency


@shared_task(name="accounts.tidy")
def tidy() -> None:
    idempotency.forget_old()
    tidying.forget_ended_sessions()
