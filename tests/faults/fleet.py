"""Two hundred pretend computers in a thread of their own, each with its own ledger of what happened to it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from agents.simulate import programs
from agents.simulate.agent import SimulatedAgent, new_member
from agents.simulate.client import PortalRefusal, PortalUnreachable
from agents.simulate.fleet import FleetRunner
from agents.simulate.fleet_file import Fleet
from tests.running import until

SECONDS_BETWEEN_EVENTS = 15.0  # of one computer; the fleet makes a dozen a second


@dataclass
class RunningFleet:
    """Agents that live as the demo's do. `working`: each also runs programs; `reporting`: what is spooled is sent."""

    runner: FleetRunner
    organization: str
    seed: int
    working: bool = False
    reporting: bool = True
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    failure: list[BaseException] = field(default_factory=list)

    @classmethod
    def of(cls, url: str, organization: str, install_key: str, size: int, seed: int) -> RunningFleet:
        members = [
            new_member(f"acre-{n:03}", f"machine-{organization}-{n}", install_key=install_key) for n in range(size)
        ]
        return cls(FleetRunner(url, Fleet(members=members), seed=seed), organization, seed)

    @property
    def agents(self) -> list[SimulatedAgent]:
        return self.runner.agents

    def start(self) -> None:
        threading.Thread(target=self._live, name="fleet", daemon=True).start()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._everything.cancel)

    def do(self, work: Coroutine[Any, Any, Any], seconds: float = 90) -> Any:
        """Run something in the fleet's loop and wait for it."""
        promise: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return promise.result(seconds)

    def check(self) -> None:
        """A fleet that fell over is a failed test, not a quiet one."""
        assert not self.failure, self.failure

    def settle(self, seconds: float = 60) -> None:
        """Nobody works any more, and what was reported has arrived."""
        self.working = False
        until(lambda: not any(len(agent.spool) for agent in self.agents), seconds, "every spool is empty")
        self.check()

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._everything = self.loop.create_task(self._run())
        try:
            self.loop.run_until_complete(self._everything)
        except asyncio.CancelledError:
            return
        except BaseExceptionGroup as group:
            self.failure.append(group)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.runner.run())
            while len(self.agents) < len(self.runner.fleet.members):
                await asyncio.sleep(0.05)
            for agent in self.agents:
                tasks.create_task(self._work(agent, random.Random(f"{self.seed}/{agent.member.name}")))

    async def _work(self, agent: SimulatedAgent, dice: random.Random) -> None:
        while True:
            await asyncio.sleep(dice.uniform(0, 2 * SECONDS_BETWEEN_EVENTS))
            if self.working:
                agent.run(programs.choose(agent.member.profile, int(agent.client.now() // 86_400), dice))
            if self.reporting and len(agent.spool):
                await persistently(agent.upload)


async def persistently(exchange: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Until the portal has answered: it may be away, or say that it is busy."""
    while True:
        try:
            return await exchange()
        except PortalUnreachable as reason:
            await asyncio.sleep(min(reason.retry_after or 0.5, 2.0))
        except PortalRefusal as refusal:
            if refusal.status != 429:
                raise
            await asyncio.sleep(1.0)
