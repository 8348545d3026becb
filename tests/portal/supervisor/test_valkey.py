"""The embedded Valkey comes back with what it had, even when its file was cut off in a write."""

from __future__ import annotations

import os
import signal

import redis

from portal.supervisor.children import Children
from portal.supervisor.console import Console
from portal.supervisor.layout import Layout
from portal.supervisor.programs import wait_until
from portal.supervisor.valkey import embedded_valkey


def test_items_survive_kill_9_and_a_truncated_file(
    layout: Layout, environment: dict[str, str], console: Console
) -> None:
    valkey = embedded_valkey(layout)
    with Children(layout.logs, console) as children:
        children.start(valkey.program(environment))
        client = redis.Redis.from_url(valkey.url())
        for number in range(100):
            client.set(f"key-{number}", "value" * 20)
        client.execute_command("WAITAOF", 1, 0, 2000)
        os.kill(children.running[0].process.pid, signal.SIGKILL)
    written = next(layout.valkey.glob("appendonlydir/*.incr.aof"))
    os.truncate(written, written.stat().st_size - 7)
    with Children(layout.logs, console) as children:
        children.start(valkey.program(environment))
        assert redis.Redis.from_url(valkey.url()).dbsize() == 99


def test_it_is_restarted_on_the_same_socket(children: Children, layout: Layout, environment: dict[str, str]) -> None:
    valkey = embedded_valkey(layout)
    children.start(valkey.program(environment))
    first = children.running[0].process.pid
    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        children.look_after()
        return children.running[0].process.pid != first and valkey.is_ready()

    assert wait_until(back, 10)
    assert redis.Redis.from_url(valkey.url()).ping()


def test_the_socket_is_private(children: Children, layout: Layout, environment: dict[str, str]) -> None:
    valkey = embedded_valkey(layout)
    children.start(valkey.program(environment))
    assert valkey.socket.stat().st_mode & 0o077 == 0
    assert valkey.socket.parent.stat().st_mode & 0o077 == 0
