"""The arm switch and *kill running* with the real agent, by the API alone: off by itself, ended at once."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys.conftest import Scripts, computer_named, deploy, event_of, finished
from tests.journeys.test_real_agent import permit, seconds_until_it_runs
from tests.running import ApiClient, RunningPortal, runs, until

pytestmark = pytest.mark.kernel


def test_an_armed_policy_lets_it_run_and_the_computer_itself_turns_it_off(
    running_portal: RunningPortal, technician: ApiClient, script: Scripts
) -> None:
    job = script("fin-01", "rmm-patch")
    assert not runs(job)
    computer = computer_named(technician, "fin-01")["id"]
    made = permit(technician, job, computer, hash=True)
    seconds_until_it_runs(job)
    finished(technician, made["deployment"])
    technician.patch(f"policies/{made['policy']}/", {"enabled": False})
    deploy(technician, "computer", computer)
    assert not runs(job)

    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20)
    armed = technician.post(f"policies/{made['policy']}/arm/", {"until": ends_at.isoformat()})
    seconds_until_it_runs(job)
    finished(technician, armed["deployment"])
    running_portal.kill("web")
    until(lambda: not runs(job), 40, "the computer turned it off while the portal was away")
    assert datetime.now(UTC) >= ends_at - timedelta(seconds=1)
    until(lambda: answers(technician), 60, "the portal is back")
    policy = technician.get(f"policies/{made['policy']}/")
    assert (policy["enabled"], policy["armed_until"]) == (False, ends_at.isoformat().replace("+00:00", "Z"))
    event = event_of(technician, job, effect="denied")
    assert event["reason_code"] == "default_deny"


def test_a_deny_ends_what_runs_and_tells_it(technician: ApiClient, script: Scripts) -> None:
    job = script("fin-01", "miner")
    job.write_text("#!/bin/sh\nwhile :; do sleep 0.1; done\n# " + job.name + "\n")
    assert started(job) is None
    computer = computer_named(technician, "fin-01")["id"]
    made = permit(technician, job, computer, hash=True)
    finished(technician, made["deployment"])
    running = until(lambda: started(job), 10, "it runs")
    try:
        body = {
            "scope": {"level": "computer", "target": computer},
            "applications": technician.get(f"policies/{made['policy']}/")["applications"],
            "action": "deny", "status": "secured", "kill_running": True, "place": "top",
        }  # fmt: skip
        technician.post("policies/", body)
        deploy(technician, "computer", computer)
        until(lambda: running.poll() is not None, 15, "it was ended")
        event = event_of(technician, job, action_type="kill")
        assert (event["effect"], event["computer_name"]) == ("denied", "fin-01")
    finally:
        running.kill()
        running.wait()


def started(job: object) -> subprocess.Popen[bytes] | None:
    """The running script; None while it is not permitted."""
    try:
        return subprocess.Popen([str(job)])
    except PermissionError:
        return None


def answers(api: ApiClient) -> bool:
    try:
        return api.ask("GET", "computers/").status == 200
    except OSError:
        return False
