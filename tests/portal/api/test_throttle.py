"""The token bucket: fair between callers, and open when Valkey is away."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import redis

from portal.accounts.models import User
from portal.common import queue
from portal.common.api.throttling import seconds_to_wait
from tests.portal.api.caller import Caller


def test_a_caller_past_its_bucket_is_429_and_told_when_to_come_back(
    reader: User, customer_admin: User, settings: Any
) -> None:
    settings.API_RATE_PER_MINUTE, settings.API_BURST = 6, 3
    caller = Caller(reader)
    assert [caller.get("organizations/").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = caller.get("organizations/")
    assert 1 <= int(refused["Retry-After"]) <= 10
    assert refused["Content-Type"] == "application/problem+json"
    assert Caller(customer_admin).get("organizations/").status_code == 200


def test_a_bucket_fills_again() -> None:
    caller = f"test:{uuid.uuid4()}"
    taken = [seconds_to_wait(caller, per_minute=60_000, burst=1) for _ in range(200)]
    assert taken[0] == 0
    assert all(0 <= wait <= 0.001 for wait in taken)
    assert taken.count(0) > 1


@pytest.mark.django_db
def test_without_valkey_nobody_is_held_up(reader: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.API_RATE_PER_MINUTE, settings.API_BURST = 1, 1
    away: Any = redis.Redis(unix_socket_path="/nonexistent/valkey.sock")
    monkeypatch.setattr(queue, "redis", lambda: away)
    caller = Caller(reader)
    assert [caller.get("organizations/").status_code for _ in range(3)] == [200, 200, 200]
