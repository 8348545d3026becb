"""kill -9 of each part in the middle of a deployment to two hundred computers: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from portal.supervisor.valkey import embedded_valkey
from tests.faults import invariants
from tests.faults.conftest import SIZE, Deploy
from tests.faults.fleet import RunningFleet
from tests.running import ApiClient, RunningPortal, descendants, until

pytestmark = pytest.mark.faults
RECOVERED_WITHIN_SECONDS = 150  # a quiet machine needs a tenth of it
Told = Callable[[str, object], None]


@pytest.fixture(autouse=True)
def at_work(fleet: RunningFleet) -> Iterator[None]:
    """Every computer goes on running programs and reporting them, whatever happens to the portal."""
    fleet.working = True
    yield
    fleet.working = False


def built(portal: RunningPortal, deployment: str) -> int:
    """How many of its computers have a bundle already, asked of the rows themselves."""
    sql = "SELECT count(*) FROM agents_deploymenttarget WHERE deployment_id = %s AND state <> 'pending'"
    return int(portal.rows(sql, (deployment,))[0][0])


def applied(portal: RunningPortal, deployment: str) -> int:
    sql = "SELECT count(*) FROM agents_deploymenttarget WHERE deployment_id = %s AND state = 'applied'"
    return int(portal.rows(sql, (deployment,))[0][0])


def finish(portal: RunningPortal, fleet: RunningFleet, owner: ApiClient, deployment: str) -> float:
    """Seconds until the deployment has succeeded everywhere; then every invariant is checked."""
    since = time.monotonic()

    def is_over() -> bool:
        try:
            answer = owner.ask("GET", f"deployments/{deployment}/")
        except OSError:
            return False
        return answer.status == 200 and answer["state"] != "rolling"

    until(is_over, RECOVERED_WITHIN_SECONDS, f"deployment {deployment} ends", pause_seconds=0.25)
    took = time.monotonic() - since
    found = owner.get(f"deployments/{deployment}/")
    assert (found["state"], found["computers"]["running"], found["computers"]["total"]) == ("succeeded", SIZE, SIZE)
    fleet.settle()
    invariants.check(portal, fleet)
    return took


def test_f00_nothing_is_killed(
    running_portal: RunningPortal, fleet: RunningFleet, owner: ApiClient, deploy: Deploy, record_property: Told
) -> None:
    """The same measure without a fault: what the others are compared with."""
    record_property("seconds", round(finish(running_portal, fleet, owner, deploy()), 1))


def test_f01_the_worker_is_killed(
    running_portal: RunningPortal,
    fleet: RunningFleet,
    owner: ApiClient,
    deploy: Deploy,
    record_property: Told,
) -> None:
    deployment = deploy()
    until(lambda: built(running_portal, deployment) >= SIZE * 0.3, 30, "a part is built", pause_seconds=0.005)
    running_portal.kill("worker")
    record_property("built_when_killed", built(running_portal, deployment))
    record_property("seconds", round(finish(running_portal, fleet, owner, deployment), 1))


def test_f02_one_child_of_the_worker_is_killed(
    running_portal: RunningPortal, fleet: RunningFleet, owner: ApiClient, deploy: Deploy, record_property: Told
) -> None:
    deployment = deploy()
    until(lambda: built(running_portal, deployment) >= SIZE * 0.3, 30, "a part is built", pause_seconds=0.005)
    os.kill(min(descendants(running_portal.master("worker"))), signal.SIGKILL)
    record_property("seconds", round(finish(running_portal, fleet, owner, deployment), 1))


def test_the_web_processes_are_killed_while_everybody_fetches_and_reports(
    running_portal: RunningPortal, fleet: RunningFleet, owner: ApiClient, deploy: Deploy, record_property: Told
) -> None:
    deployment = deploy()
    until(lambda: applied(running_portal, deployment) >= SIZE * 0.1, 60, "a part is applied", pause_seconds=0.02)
    running_portal.kill("web")
    record_property("seconds", round(finish(running_portal, fleet, owner, deployment), 1))


def test_f04_the_broker_is_emptied(
    running_portal: RunningPortal, fleet: RunningFleet, owner: ApiClient, deploy: Deploy, record_property: Told
) -> None:
    broker = redis.Redis.from_url(embedded_valkey(running_portal.layout).url())
    deployment = deploy()
    broker.flushall()
    until(lambda: applied(running_portal, deployment) >= SIZE * 0.2, 60, "a part is applied", pause_seconds=0.02)
    broker.flushall()
    record_property("seconds", round(finish(running_portal, fleet, owner, deployment), 1))


def test_f05_the_broker_is_killed(
    running_portal: RunningPortal, fleet: RunningFleet, owner: ApiClient, deploy: Deploy, record_property: Told
) -> None:
    deployment = deploy()
    until(lambda: built(running_portal, deployment) >= SIZE * 0.1, 30, "a part is built", pause_seconds=0.005)
    running_portal.kill("valkey")
    assert owner.get("computers/?page_size=1")["results"], "pages and scripts are answered all the while"
    record_property("seconds", round(finish(running_portal, fleet, owner, deployment), 1))


def test_f07_the_database_is_killed_while_it_deploys_and_ingests(
    running_portal: RunningPortal, fleet: RunningFleet, owner: ApiClient, deploy: Deploy, record_property: Told
) -> None:
    deployment = deploy()
    until(lambda: applied(running_portal, deployment) >= SIZE * 0.2, 60, "a part is applied", pause_seconds=0.02)
    running_portal.kill("postgres")
    told = [owner.ask("GET", "computers/?page_size=1") for _ in range(3)]
    assert {answer.status for answer in told} <= {200, 503}, "503 with Retry-After, never a page of an error"
    assert all("retry-after" in answer.headers for answer in told if answer.status == 503)
    record_property("seconds", round(finish(running_portal, fleet, owner, deployment), 1))
