"""F09: each batch sent one to five times, shuffled, cut off at any moment: every event is there exactly once."""

from __future__ import annotations

import asyncio
import random

import pytest

from agents.protocol import messages
from agents.protocol.messages import EventBatch, EventsAnswer
from agents.simulate import programs
from agents.simulate.agent import SimulatedAgent
from tests.faults import invariants
from tests.faults.fleet import RunningFleet, persistently
from tests.running import RunningPortal

pytestmark = pytest.mark.faults
COMPUTERS, BATCHES, EVENTS = 40, 6, 5


def test_f09_batches_repeated_shuffled_and_cut(running_portal: RunningPortal, fleet: RunningFleet, seed: int) -> None:
    fleet.settle()
    fleet.reporting = False  # the spools are sent from here, in this odd way
    fleet.do(_storm(fleet.agents[:COMPUTERS], random.Random(seed)))
    fleet.reporting = True
    invariants.check_events(running_portal, fleet)


async def _storm(agents: list[SimulatedAgent], dice: random.Random) -> None:
    async with asyncio.TaskGroup() as tasks:
        for agent in agents:
            tasks.create_task(_repeat(agent, random.Random(dice.random())))


async def _repeat(agent: SimulatedAgent, dice: random.Random) -> None:
    """One computer's events in several batches; the order and the number of deliveries are anybody's guess."""
    for _ in range(BATCHES * EVENTS):
        agent.run(programs.choose(agent.member.profile, 0, dice))
    whole = agent.spool.batch()
    assert whole is not None and len(whole.events) == BATCHES * EVENTS
    parts = [
        EventBatch(
            boot_id=whole.boot_id,
            batch=whole.batch * 100 + number,
            first_sequence=whole.events[number * EVENTS].sequence,
            events=whole.events[number * EVENTS : (number + 1) * EVENTS],
        )
        for number in range(BATCHES)
    ]
    sendings = [part for part in parts for _ in range(dice.randint(1, 5))]
    dice.shuffle(sendings)
    for part in sendings:
        if dice.random() < 0.3:
            await _cut_off(agent, part, after_seconds=dice.uniform(0.0, 0.05))
    answers = [await persistently(lambda part=part: _send(agent, part)) for part in sendings]
    assert all(answer.accepted + answer.duplicate == EVENTS for answer in answers)
    agent.spool.settle(
        EventsAnswer(
            batch=whole.batch,
            accepted=len(whole.events),
            duplicate=0,
            acknowledged_sequence=whole.events[-1].sequence,
        )
    )


async def _send(agent: SimulatedAgent, part: EventBatch) -> EventsAnswer:
    return await agent.client.call("events", part, messages.EventsAnswer)


async def _cut_off(agent: SimulatedAgent, part: EventBatch, *, after_seconds: float) -> None:
    """The connection breaks while or after the portal stores it; nobody hears the answer."""
    try:
        await asyncio.wait_for(_send(agent, part), after_seconds)
    except TimeoutError:
        return
