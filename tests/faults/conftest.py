"""A customer with two hundred computers, on the whole running portal."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.fleet import RunningFleet
from tests.running import ApiClient, RunningPortal, until

SIZE = 200
Deploy = Callable[[], str]


@pytest.fixture(scope="package")
def owner(running_portal: RunningPortal) -> ApiClient:
    return running_portal.api("owner")


@pytest.fixture(scope="package")
def seed() -> int:
    """Printed, so that a failing run can be repeated."""
    chosen = random.SystemRandom().randrange(1_000_000)
    print(f"\nseed {chosen}")
    return chosen


@pytest.fixture(scope="package")
def fleet(running_portal: RunningPortal, owner: ApiClient, seed: int) -> Iterator[RunningFleet]:
    """Every computer enrolled with the one install key and running its first bundle."""
    name = f"thousand-acres-{uuid.uuid4().hex[:6]}"
    owner.post("organizations/", {"name": name, "slug": name, "parent": "northwind-it"})
    group = {"organization": name, "name": "Barns", "os": "windows", "initial_learning_days": 0}
    made = owner.post("computer-groups/", group)
    key = owner.post("install-keys/", {"group": made["id"], "max_uses": SIZE})["secret"]
    found = RunningFleet.of(running_portal.url, name, key, SIZE, seed)
    found.start()
    until(lambda: running_a_bundle(found) == SIZE, 120, "every computer runs its first bundle", pause_seconds=0.3)
    yield found
    found.stop()


def running_a_bundle(fleet: RunningFleet) -> int:
    fleet.check()
    return sum(1 for agent in fleet.agents if agent.ledger.applied)


@pytest.fixture
def deploy(fleet: RunningFleet, owner: ApiClient) -> Deploy:
    """Save something that changes every bundle and press Deploy Policies for all of them: the deployment's id."""

    def press() -> str:
        name = f"job-{uuid.uuid4().hex[:10]}"
        rules = [{"path": rf"c:\{name}\*"}]
        body = {"organization": fleet.organization, "name": name, "os": "windows", "rules": rules}
        application = owner.post("applications/", body)["id"]
        scope = {"level": "organization", "target": fleet.organization}
        policy: dict[str, Any] = {"name": name, "scope": scope, "applications": [application], "action": "permit"}
        owner.post("policies/", policy)
        return str(owner.post("deployments/", {"scope": scope})["id"])

    return press
