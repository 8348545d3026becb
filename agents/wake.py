"""Wake-ups through Valkey. Only hints: a lost one costs a minute, never a bundle.

Hash `portcullis:revision`: computer id -> `<revision>:<mode>`, what the gateway tells on connect.
Channel `portcullis:wake`: `<computer id>:<revision>:<mode>`, one message a computer.
Hash `portcullis:revoked`: key id -> until when (unix seconds); channel `portcullis:revoked`: a key id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import redis
import structlog

from agents import stream_token
from agents.hub import REVISIONS, REVOKED, WAKE
from portal.common import clock, queue

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """What an agent is told: the version of its newest manifest, and the mode in it."""

    revision: int
    mode: str


def publish(hints: Mapping[UUID, Hint]) -> bool:
    """Tell the gateways about these computers. False when Valkey is away; the sweep tells again."""
    if not hints:
        return True
    try:
        with queue.redis().pipeline(transaction=False) as pipe:
            pipe.hset(REVISIONS, mapping={str(c): f"{hint.revision}:{hint.mode}" for c, hint in hints.items()})
            for computer, hint in hints.items():
                pipe.publish(WAKE, f"{computer}:{hint.revision}:{hint.mode}")
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("wake.publish_failed", computers=len(hints), error=str(error))
        return False
    return True


def revoke(key_id: str) -> bool:
    """Close the streams of a banned key now, for as long as a token of it could still be valid."""
    until = int(clock.now().timestamp()) + stream_token.LIFETIME_SECONDS
    try:
        with queue.redis().pipeline(transaction=False) as pipe:
            pipe.hset(REVOKED, key_id, until)
            pipe.publish(REVOKED, key_id)
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("wake.revoke_failed", key=key_id, error=str(error))
        return False
    return True
