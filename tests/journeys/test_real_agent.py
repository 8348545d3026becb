"""The main job on a real computer with a real kernel, told by the API alone: denied, permitted, deployed, it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journeys.conftest import Scripts, computer_named, deploy, event_of, finished
from tests.running import ApiClient, RunningPortal, runs, until

pytestmark = pytest.mark.kernel
AT_MOST_SECONDS = 10  # the product's own goal is 3; this is a test of truth, on a machine that does other things too


def permit(api: ApiClient, path: Path, computer: str, **rule: object) -> dict[str, str]:
    """Permit Application from the newest denial of `path`, for that computer, and deploy it there."""
    event = event_of(api, path, effect="denied")
    body = {
        "application": {"create": {"name": path.stem}},
        "rule": rule or {"choose": "automatic"},
        "scope": {"level": "computer", "target": computer},
        "deploy": "scope",
    }
    made: dict[str, str] = api.post(f"events/{event['id']}/permit/", body).body
    return made


def seconds_until_it_runs(script: Path) -> float:
    pressed = time.monotonic()
    until(lambda: runs(script), AT_MOST_SECONDS, f"{script.name} runs after it was permitted", pause_seconds=0.02)
    return time.monotonic() - pressed


def runs_bundle(portal: RunningPortal, name: str) -> tuple[int, str]:
    """(version, hash) of what the agent says it runs; it tells how it is every few seconds."""
    beat = portal.agent_status(name)["heartbeat"]
    return beat["bundle_version"], beat["bundle_sha256"]


def test_denied_permitted_deployed_runs_and_is_proven(
    running_portal: RunningPortal,
    technician: ApiClient,
    script: Scripts,
    record_property: Callable[[str, object], None],
) -> None:
    job = script("fin-01", "payroll")
    assert not runs(job)
    event = event_of(technician, job)
    assert (event["computer_name"], event["effect"], event["reason_code"]) == ("fin-01", "denied", "default_deny")

    computer = computer_named(technician, "fin-01")["id"]
    made = permit(technician, job, computer)
    took = seconds_until_it_runs(job)
    record_property("seconds_from_press_to_running", round(took, 2))
    print(f"\nfrom the press of Permit and Deploy to the running script: {took:.2f} s")

    deployment = finished(technician, made["deployment"])
    assert deployment["computers"]["running"] == deployment["computers"]["total"] == 1
    [row] = technician.get(f"deployments/{made['deployment']}/computers/")["results"]
    assert row["state"] == "applied" and row["acknowledged_at"]
    acknowledged = (row["bundle_version"], row["bundle_sha256"])
    until(lambda: runs_bundle(running_portal, "fin-01") == acknowledged, 10, "the agent itself says the same bundle")
    permitted = event_of(technician, job, effect="permitted")
    assert (permitted["policy"], permitted["bundle_version"]) == (made["policy"], row["bundle_version"])


def test_a_policy_that_is_turned_off_denies_again_once_it_is_deployed(technician: ApiClient, script: Scripts) -> None:
    job = script("fin-01", "month-end")
    assert not runs(job)
    computer = computer_named(technician, "fin-01")["id"]
    made = permit(technician, job, computer, hash=True)
    seconds_until_it_runs(job)
    finished(technician, made["deployment"])

    technician.patch(f"policies/{made['policy']}/", {"enabled": False})
    assert runs(job), "what is saved and not deployed changes nothing on the computer"
    deploy(technician, "computer", computer)
    assert not runs(job)
    technician.patch(f"policies/{made['policy']}/", {"enabled": True})
    deploy(technician, "computer", computer)
    assert runs(job)


def test_monitor_only_lets_it_run_and_says_what_it_would_have_done(technician: ApiClient, script: Scripts) -> None:
    job = script("eng-01", "build")
    assert not runs(job)
    computer = computer_named(technician, "eng-01")["id"]
    technician.put(f"computers/{computer}/mode/", {"mode": "monitor_only", "reason": "a journey"})
    try:
        deploy(technician, "computer", computer)
        assert runs(job)
        event = event_of(technician, job, effect="simulated")
        assert (event["effect"], event["simulated"], event["mode"]) == ("permitted", True, "monitor_only")
    finally:
        technician.delete(f"computers/{computer}/mode/")
        deploy(technician, "computer", computer)
    assert not runs(job)


def test_the_agent_goes_on_deciding_while_the_portal_is_away(
    running_portal: RunningPortal, technician: ApiClient, script: Scripts
) -> None:
    """What was permitted runs, what was not does not; what happened meanwhile arrives afterwards, once."""
    allowed, stopped = script("eng-01", "test"), script("eng-01", "release")
    assert not runs(allowed)
    made = permit(technician, allowed, computer_named(technician, "eng-01")["id"], hash=True)
    seconds_until_it_runs(allowed)
    finished(technician, made["deployment"])
    running_portal.kill("web")
    assert runs(allowed)
    assert not runs(stopped)
    until(lambda: technician_answers(technician), 60, "the portal is back")
    assert event_of(technician, stopped)["effect"] == "denied"
    assert len(technician.get(f"events/?from=1h&path={stopped}")["results"]) == 1


def technician_answers(api: ApiClient) -> bool:
    try:
        return api.ask("GET", "computers/").status == 200
    except OSError:
        return False
