"""Rows as the truth: two workers at once, a worker that dies, a broker that forgets. With real commits."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from threading import Event, Thread

import pytest
import time_machine
from django.db import connection
from django.test import Client

from agents import deploy, install_keys, rollout, sweep
from agents.models import Delivery, Deployment, DeploymentTarget, Manifest
from portal.common import clock, queue
from portal.common.uuid7 import uuid7
from portal.tenants.models import ComputerGroup
from portal.tenants.scoping import reaching
from tests import factories
from tests.agents.conftest import permit_windows
from tests.endpoint_double import Endpoint

COMPUTERS = 60


@pytest.fixture
def fleet(committed: None, monkeypatch: pytest.MonkeyPatch) -> list[Endpoint]:
    """Sixty enrolled computers of one group, and a broker that is away."""
    monkeypatch.setattr(queue, "publish", lambda *args, **ids: False)
    with reaching(factories.SYSTEM):
        moose = factories.organization("Able Moose")
        group = factories.group(moose, "Finance", initial_learning_days=0)
        permit_windows(moose)
        key = install_keys.create_install_key(factories.SYSTEM, group_id=group.id).secret
    endpoints = [Endpoint(Client(), name=f"fin-{n:02}") for n in range(COMPUTERS)]
    for endpoint in endpoints:
        assert endpoint.enroll(key).status == 200
    return endpoints


def press() -> Deployment:
    with reaching(factories.SYSTEM):
        group = ComputerGroup.objects.within(factories.SYSTEM).get()
        return deploy.start_deployment(factories.SYSTEM, level="group", target_id=group.id)


def run_in_threads(deployment: Deployment, workers: int) -> list[int]:
    done: list[int] = []

    def work() -> None:
        try:
            done.append(rollout.run_deployment(deployment.id))
        finally:
            connection.close()

    threads = [Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def states() -> Counter[str]:
    with reaching(factories.SYSTEM):
        return Counter(DeploymentTarget.rows.values_list("state", flat=True))


def test_four_workers_at_once_build_each_bundle_once(fleet: list[Endpoint]) -> None:
    deployment = press()
    done = run_in_threads(deployment, 4)
    assert len(done) == 4 and sum(done) == COMPUTERS
    assert states() == {"built": COMPUTERS}
    with reaching(factories.SYSTEM):
        assert Manifest.rows.count() == COMPUTERS
        assert set(Manifest.rows.values_list("version", flat=True)) == {1}
        assert Delivery.rows.filter(current__isnull=True).count() == 0


def test_a_worker_killed_between_claim_and_store_loses_and_doubles_nothing(fleet: list[Endpoint]) -> None:
    deployment = press()
    rollout._claim(deployment.id, uuid7())  # a worker that dies here
    assert rollout.run_deployment(deployment.id) == COMPUTERS - rollout.CLAIM
    assert states() == {"built": COMPUTERS - rollout.CLAIM, "pending": rollout.CLAIM}
    with time_machine.travel(clock.now() + rollout.LEASE + timedelta(seconds=1)):
        assert rollout.run_deployment(deployment.id) == rollout.CLAIM
    with reaching(factories.SYSTEM):
        assert Manifest.rows.count() == COMPUTERS


def test_a_killed_workers_claim_is_free_with_the_next_sweep(fleet: list[Endpoint]) -> None:
    """Its database session is gone, so nobody waits for the lease to run out."""
    deployment = press()
    rollout._claim(deployment.id, uuid7())
    assert rollout.run_deployment(deployment.id) == COMPUTERS - rollout.CLAIM
    sweep.sweep()
    assert rollout.run_deployment(deployment.id) == rollout.CLAIM


def test_a_living_workers_claim_is_left_alone(fleet: list[Endpoint]) -> None:
    deployment, lease = press(), uuid7()
    holds, done = Event(), Event()

    def work() -> None:
        with rollout._held(lease):
            rollout._claim(deployment.id, lease)
            holds.set()
            done.wait(30)
        connection.close()

    worker = Thread(target=work)
    worker.start()
    holds.wait(30)
    sweep.sweep()
    try:
        assert rollout.run_deployment(deployment.id) == COMPUTERS - rollout.CLAIM
    finally:
        done.set()
        worker.join()


def test_a_worker_that_wakes_up_after_its_lease_stores_nothing(fleet: list[Endpoint]) -> None:
    deployment = press()
    lease = uuid7()
    late = rollout._claim(deployment.id, lease)
    with time_machine.travel(clock.now() + rollout.LEASE + timedelta(seconds=1)):
        rollout.run_deployment(deployment.id)
    assert rollout._build_claimed(deployment.id, lease, late, {}) == 0
    with reaching(factories.SYSTEM):
        assert Manifest.rows.count() == COMPUTERS


def test_without_any_message_the_sweep_brings_it_to_its_end(
    fleet: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker forgot everything; the sweep publishes again, here straight into the task."""
    deployment = press()
    from agents import tasks

    def straight(name: str, **ids: str) -> bool:
        getattr(tasks, name.removeprefix("agents."))(**ids)
        return True

    monkeypatch.setattr(queue, "publish", straight)
    sweep.sweep()
    assert states() == {"built": COMPUTERS}
    for endpoint in fleet:
        assert endpoint.sync()
    with time_machine.travel(clock.now() + timedelta(seconds=10)):
        sweep.sweep()
    assert states() == {"applied": COMPUTERS}
    with reaching(factories.SYSTEM):
        assert Deployment.rows.get(pk=deployment.pk).state == "succeeded"
        ledger = {endpoint.applied[-1][1] for endpoint in fleet}
        assert ledger == set(Delivery.rows.values_list("running_sha256", flat=True))


def test_a_newer_press_while_the_first_is_built_wins_everywhere(fleet: list[Endpoint]) -> None:
    first = press()
    threads = [Thread(target=run_in_threads, args=(first, 2))]
    threads[0].start()
    second = press()
    threads[0].join()
    run_in_threads(second, 2)
    for endpoint in fleet:
        endpoint.sync()
    with reaching(factories.SYSTEM):
        assert set(DeploymentTarget.rows.filter(deployment=second).values_list("state", flat=True)) == {"applied"}
        assert not DeploymentTarget.rows.filter(deployment=first, state__in=["pending", "built", "offered"]).exists()
