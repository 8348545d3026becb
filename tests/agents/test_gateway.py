"""The gateway over a real socket and a real Valkey: who gets in, what is told, and what survives."""

from __future__ import annotations

import asyncio
import json
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents import hub as hubs
from agents import stream_token
from agents.gateway import STREAM_PATH, Gateway
from agents.protocol import signing
from agents.stream_token import StreamToken
from portal.supervisor import binaries

KEY = Ed25519PrivateKey.generate()
COMPUTER = KEY_ID = "made anew for each test"


def token(computer: str = "", key: Ed25519PrivateKey = KEY, *, lasts: int = 60) -> str:
    return stream_token.sign(StreamToken(computer or COMPUTER, KEY_ID, int(time.time()) + lasts), key)


@pytest.fixture(autouse=True)
def names_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test processes share one Valkey: each test speaks of a computer and a key that no other knows."""
    monkeypatch.setitem(globals(), "COMPUTER", str(uuid4()))
    monkeypatch.setitem(globals(), "KEY_ID", uuid4().hex)


@pytest.fixture
def valkey() -> redis.Redis:
    return redis.Redis.from_url(os.environ["REDIS_URL"].replace("redis+socket://", "unix://"))


@asynccontextmanager
async def running(url: str = "") -> AsyncIterator[tuple[Gateway, int]]:
    gateway = Gateway(redis_url=url or os.environ["REDIS_URL"], public_key=signing.public_bytes(KEY))
    server = uvicorn.Server(uvicorn.Config(gateway, port=0, log_level="error", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield gateway, port
    finally:
        server.should_exit = True
        await task


async def get(port: int, path: str = STREAM_PATH, **headers: str) -> tuple[int, bytes]:
    """One whole answer."""
    reader, writer = await ask(port, path, **headers)
    raw = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def ask(port: int, path: str, **headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    await writer.drain()
    return reader, writer


async def stream(port: int, bearer: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await ask(port, STREAM_PATH, Authorization=f"Bearer {bearer}", Accept="text/event-stream")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    return reader, writer


async def hint(reader: asyncio.StreamReader, within: float = 5) -> dict[str, Any]:
    while True:
        line = await asyncio.wait_for(reader.readline(), within)
        if line.startswith(b"data: "):
            return dict(json.loads(line[6:]))
        if not line:
            raise EOFError


async def until(condition: Callable[[], bool], within: float = 10) -> None:
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        await asyncio.sleep(0.02)


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 60))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bearer", "status"),
    [
        ("", 401),
        ("nonsense", 401),
        (token(key=Ed25519PrivateKey.generate()), 401),
        (token(lasts=-1), 401),
        (token()[:-3] + "AAA", 401),
    ],
)
def test_nobody_without_a_good_token_gets_in(valkey: redis.Redis, bearer: str, status: int) -> None:
    async def work() -> None:
        async with running() as (_, port):
            assert (await get(port, Authorization=f"Bearer {bearer}"))[0] == status

    run(work)


def test_an_event_stream_tells_the_revision_at_once_and_each_newer_one(valkey: redis.Redis) -> None:
    async def work() -> None:
        valkey.hset(hubs.REVISIONS, COMPUTER, "7:secured")
        async with running() as (gateway, port):
            reader, writer = await stream(port, token())
            first = await hint(reader)
            await until(lambda: gateway.hub.is_connected)
            valkey.publish(hubs.WAKE, f"{COMPUTER}:8:learning")
            second = await hint(reader)
            assert [first["revision"], second["revision"], second["mode"]] == [7, 8, "learning"]
            writer.close()

    run(work)


def test_a_wake_up_reaches_only_its_own_computer(valkey: redis.Redis) -> None:
    async def work() -> None:
        async with running() as (gateway, port):
            reader, writer = await stream(port, token("another"))
            await hint(reader)
            await until(lambda: gateway.hub.is_connected)
            valkey.publish(hubs.WAKE, f"{COMPUTER}:8:secured")
            with pytest.raises(TimeoutError):
                await hint(reader, within=0.5)
            writer.close()

    run(work)


def test_a_long_poll_answers_at_once_when_something_newer_is_known(valkey: redis.Redis) -> None:
    async def work() -> None:
        valkey.hset(hubs.REVISIONS, COMPUTER, "7:secured")
        async with running() as (gateway, port):
            status, body = await get(port, f"{STREAM_PATH}?after=6", Authorization=f"Bearer {token()}")
            assert (status, json.loads(body)["revision"]) == (200, 7)
            await until(lambda: gateway.hub.is_connected)
            waiting = asyncio.create_task(get(port, f"{STREAM_PATH}?after=7", Authorization=f"Bearer {token()}"))
            await until(lambda: gateway.hub.count == 1)
            valkey.publish(hubs.WAKE, f"{COMPUTER}:8:secured")
            assert json.loads((await waiting)[1])["revision"] == 8

    run(work)


def test_a_quiet_long_poll_ends_with_the_keep_alive(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.gateway.KEEP_ALIVE_SECONDS", 0.2)

    async def work() -> None:
        async with running() as (_, port):
            status, body = await get(port, f"{STREAM_PATH}?after=3", Authorization=f"Bearer {token()}")
            assert (status, json.loads(body)["revision"]) == (200, 0)

    run(work)


def test_a_lost_message_is_made_good_by_the_next_keep_alive(
    valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.gateway.KEEP_ALIVE_SECONDS", 0.3)

    async def work() -> None:
        async with running() as (_, port):
            reader, writer = await stream(port, token())
            assert (await hint(reader))["revision"] == 0
            valkey.hset(hubs.REVISIONS, COMPUTER, "9:secured")  # nothing is published
            seen = [(await hint(reader))["revision"] for _ in range(2)]
            assert 9 in seen
            writer.close()

    run(work)


def test_a_banned_keys_stream_ends_and_stays_shut(valkey: redis.Redis) -> None:
    async def work() -> None:
        async with running() as (gateway, port):
            reader, _ = await stream(port, token())
            await hint(reader)
            await until(lambda: gateway.hub.is_connected)
            valkey.publish(hubs.REVOKED, KEY_ID)
            with pytest.raises(EOFError):
                await hint(reader)
            assert (await get(port, Authorization=f"Bearer {token()}"))[0] == 403

    run(work)


def test_a_stream_ends_with_its_token(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.gateway.KEEP_ALIVE_SECONDS", 0.2)

    async def work() -> None:
        async with running() as (gateway, port):
            reader, _ = await stream(port, token(lasts=2))
            with pytest.raises(EOFError):
                while True:
                    await hint(reader)
            await until(lambda: gateway.hub.count == 0)

    run(work)


@pytest.fixture
def own_valkey(tmp_path: Path) -> str:
    """The path of a Valkey server's socket that a test may start and kill."""
    return str(tmp_path / "valkey.sock")


async def start_valkey(socket: str) -> asyncio.subprocess.Process:
    program = str(binaries.valkey_server())
    arguments = ("--port", "0", "--unixsocket", socket, "--save", "", "--dir", str(Path(socket).parent))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=quiet, stderr=quiet)
    await until(lambda: Path(socket).exists() and _answers(socket))
    return process


def _answers(socket: str) -> bool:
    try:
        return bool(redis.Redis(unix_socket_path=socket).ping())
    except (redis.RedisError, OSError):
        return False


def test_agents_stay_connected_while_valkey_is_killed_and_hear_again_afterwards(own_valkey: str) -> None:
    async def work() -> None:
        first = await start_valkey(own_valkey)
        async with running(f"unix://{own_valkey}") as (gateway, port):
            reader, writer = await stream(port, token())
            await hint(reader)
            await until(lambda: gateway.hub.is_connected)
            first.kill()
            await first.wait()
            await until(lambda: not gateway.hub.is_connected)
            assert (await get(port, "/healthz"))[0] == 200 and gateway.hub.count == 1
            second = await start_valkey(own_valkey)
            await until(lambda: gateway.hub.is_connected)
            redis.Redis(unix_socket_path=own_valkey).publish(hubs.WAKE, f"{COMPUTER}:5:secured")
            assert (await hint(reader))["revision"] == 5
            writer.close()
            second.kill()
            await second.wait()

    run(work)


def test_what_was_missed_while_valkey_was_away_is_told_on_reconnect(own_valkey: str) -> None:
    async def work() -> None:
        async with running(f"unix://{own_valkey}") as (gateway, port):
            reader, writer = await stream(port, token())
            assert (await hint(reader))["revision"] == 0
            server = await start_valkey(own_valkey)
            redis.Redis(unix_socket_path=own_valkey).hset(hubs.REVISIONS, COMPUTER, "4:secured")
            await until(lambda: gateway.hub.is_connected)
            assert (await hint(reader))["revision"] == 4
            writer.close()
            server.kill()
            await server.wait()

    run(work)


def test_a_stopped_gateway_ends_its_streams_without_complaint(
    valkey: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with running() as (gateway, port):
            reader, _ = await stream(port, token())
            await hint(reader)
            polling = asyncio.create_task(get(port, f"{STREAM_PATH}?after=99", Authorization=f"Bearer {token()}"))
            await until(lambda: gateway.hub.count == 2)
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        assert (await polling)[0] == 200

    run(work)
    assert [r for r in caplog.records if r.exc_info] == []


def test_an_idle_agent_costs_little_memory() -> None:
    """The hub's own share; the socket's and the server's are measured by the benchmark."""
    hub = hubs.Hub("redis://127.0.0.1:1/0")
    tracemalloc.start()
    listeners = [hub.join(f"computer-{n}", f"key-{n}") for n in range(2_000)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert hub.count == len(listeners) and size / len(listeners) < 2_000
