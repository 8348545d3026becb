"""The main job without a kernel: an endpoint written from the protocol alone, and the simulator's agents."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import uuid4

from agents.simulate.agent import SimulatedAgent, new_member
from agents.simulate.fleet import FleetRunner, wait_for_hint
from agents.simulate.fleet_file import Fleet
from policies.engine.facts import FileFacts
from tests.endpoint_double import Endpoint
from tests.journeys.conftest import computer_named, event_of, finished
from tests.running import ApiClient, RunningPortal, until


def install_key(api: ApiClient, group: str) -> str:
    return str(api.post("install-keys/", {"group": group, "max_uses": 5})["secret"])


def permit_body(name: str, computer: str) -> dict[str, Any]:
    return {
        "application": {"create": {"name": name}},
        "rule": {"path": True},
        "scope": {"level": "computer", "target": computer},
        "deploy": "scope",
    }


def test_an_endpoint_written_from_the_protocol_is_denied_permitted_and_acknowledges(
    running_portal: RunningPortal, technician: ApiClient
) -> None:
    name = f"double-{uuid4().hex[:8]}"
    endpoint = Endpoint(url=running_portal.url, name=name)
    assert endpoint.enroll(install_key(technician, "sales")).status == 200
    until(endpoint.sync, 30, "the first bundle")
    path = rf"c:\tools\{name}.exe"
    assert endpoint.send_events(endpoint.event(path)).status == 200
    assert endpoint.send_events(endpoint.event(path)).status == 200

    event = event_of(technician, f"*{name}.exe")
    assert (event["computer_name"], event["effect"]) == (name, "denied")
    made = technician.post(f"events/{event['id']}/permit/", permit_body(name, endpoint.known.computer))
    before = technician.get(f"deployments/{made['deployment']}/")
    assert before["computers"]["running"] == 0, "nothing is running before the computer has said so"
    until(endpoint.sync, 30, "the new bundle")
    finished(technician, made["deployment"])
    [row] = technician.get(f"deployments/{made['deployment']}/computers/")["results"]
    version, sha256 = endpoint.applied[-1]
    assert (row["state"], row["bundle_version"], row["bundle_sha256"]) == ("applied", version, sha256)
    assert technician.get(f"computers/{endpoint.known.computer}/")["bundle_sha256"] == sha256
    technician.delete(f"computers/{endpoint.known.computer}/")
    assert endpoint.check_in().status in (401, 403), "a computer that was removed is nobody"


def test_a_waiting_simulated_agent_is_woken_and_decides_anew(
    running_portal: RunningPortal, technician: ApiClient
) -> None:
    name = f"simulated-{uuid4().hex[:8]}"
    member = new_member(name, f"machine-{name}", install_key=install_key(technician, "sales"))
    runner = FleetRunner(running_portal.url, Fleet(members=[member]))
    took = asyncio.run(_woken(runner, technician, name))
    print(f"\nfrom the press to the changed decision of a waiting agent: {took:.2f} s")
    technician.delete(f"computers/{computer_named(technician, name)['id']}/")
    assert took < 10


async def _woken(runner: FleetRunner, api: ApiClient, name: str) -> float:
    async with runner.session() as [agent]:
        await agent.enroll()
        while not await agent.check_in():
            await asyncio.sleep(0.2)
        facts = FileFacts(path=rf"c:\tools\{name}.exe", user="ada")
        denied = agent.run(facts)
        assert denied is not None and denied.effect == "denied"
        assert await agent.upload() == 1
        return await _permitted(agent, api, facts, name)


async def _permitted(agent: SimulatedAgent, api: ApiClient, facts: FileFacts, name: str) -> float:
    """It hangs on the stream; the permit is pressed; it hears of it, fetches and decides anew."""
    event = await asyncio.to_thread(event_of, api, f"*{name}.exe")
    computer = computer_named(api, name)["id"]
    waiting = asyncio.create_task(wait_for_hint(agent, 30))
    await asyncio.sleep(0.3)
    pressed = time.monotonic()
    made = await asyncio.to_thread(api.post, f"events/{event['id']}/permit/", permit_body(name, computer))
    await waiting
    assert await agent.check_in(), "the hint came with something newer"
    took = time.monotonic() - pressed
    permitted = agent.run(facts)
    assert permitted is not None and permitted.effect == "permitted"
    await asyncio.to_thread(finished, api, made["deployment"])
    return took
