"""Is it alive, can it work: for the supervisor, containers, monitors. Tells nothing of versions or tenants."""

from __future__ import annotations

import redis as redis_client
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from portal.common import queue


def alive(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers."""
    return HttpResponse("ok", content_type="text/plain")


def ready(request: HttpRequest) -> HttpResponse:
    """200 when the database answers, else 503. A missing Valkey is told, but the portal works without it."""
    state = {"database": _database(), "valkey": _valkey()}
    return JsonResponse(state, status=200 if state["database"] == "ok" else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return "unavailable"
    return "ok"


def _valkey() -> str:
    try:
        queue.redis().ping()
    except redis_client.RedisError:
        return "unavailable"
    return "ok"
