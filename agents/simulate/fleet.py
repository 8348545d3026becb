"""Runs a whole fleet: each computer checks in, waits for a hint, works a little, uploads."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agents.protocol.messages import ProtocolError, StreamHint
from agents.simulate import fleet_file, programs
from agents.simulate.agent import SimulatedAgent
from agents.simulate.client import LONGEST_WAIT_SECONDS, Client, PortalRefusal, PortalUnreachable
from agents.simulate.fleet_file import Fleet, Member
from agents.simulate.layers import LayerStore

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
SECONDS_PER_DAY = 86_400


@dataclass(slots=True)
class FleetRunner:
    """Runs the members of one fleet against one portal until cancelled.

    `events_per_minute` is for the whole fleet; 0 = nobody works. `seed` makes what they run repeatable.
    """

    portal_url: str
    fleet: Fleet
    path: Path | None = None
    events_per_minute: float = 0.0
    seed: int = 0
    agents: list[SimulatedAgent] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[list[SimulatedAgent]]:
        """The agents of this fleet over one HTTP session; nothing runs by itself."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=75)
        timeout = aiohttp.ClientTimeout(total=LONGEST_WAIT_SECONDS, connect=10)
        layers = LayerStore()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
            self.agents = [SimulatedAgent(member, self._client(http, member), layers) for member in self.fleet.members]
            try:
                yield self.agents
            finally:
                self.save()

    async def run(self) -> None:
        """Run every agent until cancelled. One that fails in an unforeseen way ends the whole, loudly."""
        async with self.session() as agents, asyncio.TaskGroup() as tasks:
            for number, agent in enumerate(agents):
                dice = random.Random(f"{self.seed}/{agent.member.machine_id}")  # noqa: S311 (a simulation)
                tasks.create_task(self._live(agent, dice, start_after=number * 0.02))
            if self.path is not None:
                tasks.create_task(self._save_regularly())

    def save(self) -> None:
        """Keep what each member has accepted, if the fleet has a file."""
        if self.path is not None:
            fleet_file.save(self.path, self.fleet)

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(10)
            self.save()

    def _client(self, http: aiohttp.ClientSession, member: Member) -> Client:
        client = Client(http, self.portal_url, Ed25519PrivateKey.from_private_bytes(member.private_key))
        client.clock_offset_s = member.clock_offset_s
        return client

    async def _live(self, agent: SimulatedAgent, dice: random.Random, *, start_after: float) -> None:
        await asyncio.sleep(start_after)
        if agent.member.state is None:
            await _until_answered(agent, dice, agent.enroll)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay_current(agent, dice))
            tasks.create_task(self._work(agent, dice))

    async def _stay_current(self, agent: SimulatedAgent, dice: random.Random) -> None:
        while True:
            await _until_answered(agent, dice, agent.check_in)
            pause = agent.checkin_seconds * dice.uniform(0.85, 1.15)
            await wait_for_hint(agent, pause)

    async def _work(self, agent: SimulatedAgent, dice: random.Random) -> None:
        share = self.events_per_minute / max(1, len(self.fleet.members))
        while True:
            await asyncio.sleep(dice.expovariate(share / 60) if share else 3600)
            day = int(agent.client.now() // SECONDS_PER_DAY)
            agent.run(programs.choose(agent.member.profile, day, dice))
            while len(agent.spool):
                await _until_answered(agent, dice, agent.upload)


async def wait_for_hint(agent: SimulatedAgent, seconds: float) -> None:
    """Hang on the stream until the portal hints at something newer, at most `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (left := deadline - asyncio.get_running_loop().time()) > 0:
        try:
            hint = await asyncio.wait_for(_ask_stream(agent), left)
        except TimeoutError:
            return
        except (aiohttp.ClientError, OSError, ProtocolError, msgspec.DecodeError):
            await asyncio.sleep(min(left, 5.0))
            continue
        if hint is None:
            await asyncio.sleep(min(left, 5.0))
        elif hint.revision > agent.revision:
            agent.revision = hint.revision
            return


async def _ask_stream(agent: SimulatedAgent) -> StreamHint | None:
    if not agent.stream_url or not agent.stream_token:
        return None
    headers = {"Authorization": f"Bearer {agent.stream_token}", "Accept": "application/json"}
    url = f"{agent.stream_url}?after={agent.revision}"
    async with agent.client.session.get(url, headers=headers) as response:
        if response.status != 200:
            return None
        return msgspec.json.decode(await response.read(), type=StreamHint)


async def _until_answered(agent: SimulatedAgent, dice: random.Random, exchange: Callable[[], object]) -> None:
    """Repeat one exchange with growing, jittered pauses until the portal has answered it."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            await exchange()  # type: ignore[misc]
        except PortalUnreachable as error:
            await asyncio.sleep(error.retry_after or dice.uniform(0, pause))
        except PortalRefusal as refusal:
            log.warning("simulate.refused", computer=agent.member.name, status=refusal.status, code=refusal.code)
            await asyncio.sleep(dice.uniform(pause / 2, pause))
        else:
            return
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
