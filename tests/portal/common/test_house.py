"""Small promises of the lowest floor."""

from __future__ import annotations

import threading
import time

import pytest
from celery import Celery
from django.core.cache import caches
from django.db import transaction
from django.test import Client, override_settings

from portal.common import queue
from portal.common.registry import Registry, Slot
from portal.common.uuid7 import uuid7

NOWHERE = "unix:///nonexistent/valkey.sock"


def test_ids_rise_and_never_repeat_across_threads() -> None:
    made: list[list[object]] = [[] for _ in range(4)]

    def make(into: list[object]) -> None:
        into.extend(uuid7() for _ in range(2000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(into == sorted(into) for into in made)  # type: ignore[type-var]
    assert len({one for into in made for one in into}) == 8000


def test_an_id_is_a_version_seven_uuid() -> None:
    one = uuid7()
    assert (one.version, one.variant) == (7, "specified in RFC 4122")


def test_a_lost_broker_neither_fails_nor_delays_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Celery("lost", set_as_current=False)
    lost.config_from_object("django.conf:settings", namespace="CELERY")
    lost.conf.broker_url = "redis+socket:///nonexistent/valkey.sock"
    monkeypatch.setattr(queue, "app", lost)
    started = time.monotonic()
    assert queue.publish("agents.sweep") is False
    assert time.monotonic() - started < 2
    lost.close()


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_is_sent_only_after_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(queue, "publish", lambda name, **ids: sent.append(name))
    with pytest.raises(RuntimeError), transaction.atomic():
        queue.after_commit("agents.sweep")
        raise RuntimeError
    assert sent == []
    with transaction.atomic():
        queue.after_commit("agents.sweep")
        assert sent == []
    assert sent == ["agents.sweep"]


def test_without_valkey_the_cache_of_this_process_answers() -> None:
    backend = {"default": {"BACKEND": "portal.common.cache.ForgivingRedisCache", "LOCATION": NOWHERE}}
    with override_settings(CACHES=backend):
        cache = caches.create_connection("default")
        assert cache.get("a", "nothing") == "nothing"
        assert cache.add("a", 1)
        assert not cache.add("a", 2)
        assert cache.incr("a") == 2
        assert cache.get_many(["a", "b"]) == {"a": 2}
        assert cache.delete("a")


def test_a_slot_takes_one_implementation() -> None:
    slot: Slot[int] = Slot("a number")
    with pytest.raises(LookupError, match="a number"):
        slot()
    slot.fill(7)
    assert slot() == 7
    with pytest.raises(ValueError, match="filled already"):
        slot.fill(8)


def test_a_registry_keeps_rank_and_refuses_a_second_of_a_name() -> None:
    registry: Registry[str] = Registry()
    registry.register("b", "second", rank=20)
    registry.register("a", "first", rank=10)
    assert list(registry) == ["first", "second"]
    with pytest.raises(ValueError, match="a is registered already"):
        registry.register("a", "again")


def test_a_process_is_alive_without_a_database() -> None:
    assert Client().get("/healthz").content == b"ok"


def test_ready_says_what_it_can_reach(db: None) -> None:
    assert Client().get("/readyz").json() == {"database": "ok", "valkey": "ok"}
