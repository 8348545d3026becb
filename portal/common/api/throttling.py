"""One token bucket for every caller of the API: one round trip to Valkey, no race, open when Valkey is
away.
"""

from __future__ import annotations

import math
from typing import Any

import structlog
from django.conf import settings
from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from portal.common import queue

log = structlog.get_logger(__name__)

# Answers the seconds to wait, as text (Lua numbers come back as integers): "0" takes one from the bucket.
TAKE_ONE = """
local now = redis.call('TIME')
local at = tonumber(now[1]) + tonumber(now[2]) / 1000000
local rate, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level = tonumber(kept[1]) or size
level = math.min(size, level + math.max(0, at - (tonumber(kept[2]) or at)) * rate)
local wait = 0
if level >= 1 then level = level - 1 else wait = (1 - level) / rate end
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', tostring(at))
redis.call('EXPIRE', KEYS[1], math.ceil(size / rate) + 1)
return tostring(wait)
"""


def seconds_to_wait(caller: str, *, per_minute: int, burst: int) -> float:
    """0 when the caller may go on, and one is taken; else the seconds until it may. 0 without Valkey."""
    try:
        answer = queue.redis().eval(TAKE_ONE, 1, f"portcullis:bucket:{caller}", per_minute / 60, burst)
    except (RedisError, OSError) as error:
        log.warning("api.throttle_open", caller=caller, error=str(error))
        return 0.0
    return float(answer)


class CallerThrottle(BaseThrottle):
    """A bucket per token or person; `API_RATE_PER_MINUTE` fills it, `API_BURST` is its size."""

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        reach = getattr(request, "auth", None)
        if reach is None:
            return True
        caller = f"{reach.actor.kind}:{reach.actor.id}"
        self._wait = seconds_to_wait(caller, per_minute=settings.API_RATE_PER_MINUTE, burst=settings.API_BURST)
        return self._wait == 0

    def wait(self) -> float:
        return math.ceil(self._wait)
