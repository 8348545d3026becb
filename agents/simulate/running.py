"""Running a fleet as a program: until Ctrl-C or TERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from agents.simulate.fleet import FleetRunner


async def until_stopped(runner: FleetRunner) -> None:
    """Run the fleet until this process is asked to stop; what its members accepted is kept."""
    work = asyncio.ensure_future(runner.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work
