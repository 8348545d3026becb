"""The queue: a wake-up, never the truth. What must happen stands in a row that a sweeper finds again.

A message may be lost, late or doubled at any time (see docs/decisions); so tasks take ids only, run
briefly, and are safe to run any number of times.
"""

from __future__ import annotations

import functools
from typing import Any

import redis as redis_client
import structlog
from celery import Celery
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)

# Made here and not in `portal.celery`, so that whoever publishes (web, commands) has it configured too.
app = Celery("portcullis")
app.config_from_object("django.conf:settings", namespace="CELERY")


@functools.cache
def redis() -> redis_client.Redis:
    """The one client of this process. Callers expect `redis.RedisError` and go on without it."""
    return redis_client.Redis.from_url(
        settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1, health_check_interval=30
    )


def publish(name: str, **ids: str | int) -> bool:
    """Send one wake-up now. False when the broker is away: the sweeper will find the work."""
    try:
        app.send_task(name, kwargs=ids, retry=False, ignore_result=True)
    except (OperationalError, redis_client.RedisError, OSError) as error:
        log.warning("queue.publish_failed", task=name, error=str(error), **ids)
        return False
    return True


def after_commit(name: str, **ids: Any) -> None:
    """Send a wake-up for task `name` once the transaction is committed. Ids are sent as text or integers."""
    plain = {key: value if isinstance(value, int) else str(value) for key, value in ids.items()}
    transaction.on_commit(functools.partial(publish, name, **plain), robust=True)
