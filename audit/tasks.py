"""Periodic work of the audit store. Each task is safe to run twice at once, late, or not at all for a while."""

from __future__ import annotations

from celery import shared_task

from audit import fold, requests, retention
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching


@shared_task(name="audit.fold")
def fold_batches() -> None:
    fold.fold(system_reach("fold the audit"))


@shared_task(name="audit.retention")
def keep_days() -> None:
    retention.keep_days(system_reach("retention of the audit"))
    with reaching(system_reach("requests that nobody answered")) as system:
        requests.expire_requests(system)
