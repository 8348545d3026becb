"""How much memory an idle connected agent costs the gateway, against the barest ASGI stream on the same server.

Goal: 10,000 agents in one process, at most 20 kB each (docs/benchmarks.md).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import secrets
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agents import keys, stream_token
from agents.stream_token import StreamToken

ROUNDS = 3


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """A stream that says one line and then nothing: what uvicorn itself costs."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


def serve(application: str, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"]
    return subprocess.Popen([*command, "--log-level", "critical"], stderr=subprocess.DEVNULL)


def memory_bytes(process: subprocess.Popen[bytes]) -> int:
    """Resident memory of a process."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, text=True, check=True)
    return int(told.stdout) * 1024


async def connect(port: int, bearer: str) -> asyncio.StreamWriter:
    for _ in range(100):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.1)
    writer.write(
        b"GET /agent/v1/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        b"Authorization: Bearer " + bearer.encode() + b"\r\n\r\n"
    )
    await writer.drain()
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    return writer


async def measure(application: str, port: int, agents: int) -> float:
    """Bytes of resident memory that one idle agent adds."""
    process = serve(application, port)
    key = keys.private_key("agent-token")
    until = int(time.time()) + 600
    bearers = [stream_token.sign(StreamToken(secrets.token_hex(16), "k", until), key) for _ in range(agents)]
    try:
        warm = [await connect(port, bearer) for bearer in bearers[:50]]
        before = memory_bytes(process)
        idle: list[asyncio.StreamWriter] = []
        for start in range(50, agents, 100):
            idle += await asyncio.gather(*(connect(port, bearer) for bearer in bearers[start : start + 100]))
        await asyncio.sleep(1)
        each = (memory_bytes(process) - before) / len(idle)
        for writer in warm + idle:
            writer.close()
        return each
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    agents = 10_000 if parser.parse_args().full else 2_000
    limit = min(agents * 2 + 200, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    agents = min(agents, limit - 200)
    ours, plain = [], []
    with TemporaryDirectory() as folder:
        os.environ["KEYS_DIR"] = str(Path(folder))
        keys.make_missing()
        for number in range(ROUNDS):
            ours.append(asyncio.run(measure("agents.gateway:app", 18_600 + number * 2, agents)))
            plain.append(asyncio.run(measure("benchmarks.gateway_idle:bare", 18_601 + number * 2, agents)))
    gateway, floor = statistics.median(ours), statistics.median(plain)
    print(f"{agents:,} idle agents: gateway {gateway / 1000:.1f} kB each, bare ASGI stream {floor / 1000:.1f} kB each")
    print(f"gateway / bare stream, memory of an idle agent: {gateway / floor:.2f} (goal: at most 20 kB)")


if __name__ == "__main__":
    main()
