"""Is the portal well: one line for the dot in the top bar, a few for its page. Reads only, and never raises."""

from __future__ import annotations

from dataclasses import dataclass

import redis as redis_client

from agents import sweep
from portal.common import queue


@dataclass(frozen=True, slots=True)
class Vital:
    """One part: `tone` live, ask or deny; `says` is a whole sentence."""

    name: str
    tone: str
    says: str


def vitals() -> list[Vital]:
    """The parts in the order in which an operator should look at them."""
    return [Vital("Database", "live", "It answers."), _valkey(), _scheduler()]


def worst(parts: list[Vital]) -> Vital:
    """The part that the dot shows: the first that is not well, else the first."""
    return next((part for part in parts if part.tone != "live"), parts[0])


def _valkey() -> Vital:
    try:
        waiting = sum(int(str(queue.redis().llen(name))) for name in ("work", "deploy", "audit"))
    except redis_client.RedisError:
        return Vital("Queue", "ask", "It does not answer. Deployments and reports go slower; nothing is lost.")
    if waiting > 500:
        return Vital("Queue", "ask", f"{waiting:,} pieces of work wait.")
    return Vital("Queue", "live", "Work is taken at once.")


def _scheduler() -> Vital:
    silent = sweep.silent_seconds()
    if silent:
        return Vital("Scheduler", "ask", f"Silent for {silent} s. Deployments wait for it; nothing is lost.")
    return Vital("Scheduler", "live", "It looks every few seconds for what is due.")
