"""What the demo's computers run has the traits a technician must meet."""

from __future__ import annotations

import random

import pytest

from agents.simulate.programs import DENIED, LEARNED, RMM_AGENT, RUNS, choose, facts_of, learned_hashes


@pytest.mark.parametrize("profile", ["finance", "sales", "engineering", "cad", "servers", "dental"])
def test_every_profile_runs_something(profile: str) -> None:
    dice = random.Random(1)
    assert len({choose(profile, 20_000, dice).path for _ in range(200)}) > 5


def test_the_same_build_has_the_same_hash_on_every_computer() -> None:
    chrome = next(run for run in RUNS if run.path.endswith("chrome.exe"))
    assert (
        facts_of(chrome, "finance", 20_000, random.Random(1)).sha256
        == facts_of(chrome, "sales", 20_000, random.Random(2)).sha256
    )


def test_an_update_changes_the_hash() -> None:
    chrome = next(run for run in RUNS if run.path.endswith("chrome.exe"))
    assert (
        facts_of(chrome, "finance", 20_000, random.Random(1)).sha256
        != facts_of(chrome, "finance", 20_100, random.Random(1)).sha256
    )


def test_scripts_of_the_rmm_change_name_and_hash_with_every_run() -> None:
    script = next(run for run in DENIED if run.process == RMM_AGENT)
    dice = random.Random(3)
    seen = [facts_of(script, "finance", 20_000, dice) for _ in range(5)]
    assert len({facts.sha256 for facts in seen}) == 5
    assert len({facts.path for facts in seen}) == 5
    assert all(facts.created_by == RMM_AGENT for facts in seen)


def test_learned_hashes_are_those_of_the_builds_that_ran_until_a_day() -> None:
    hashes, dice = learned_hashes(20_000, 20_018), random.Random(4)
    assert len(hashes) > 30
    for run in LEARNED:
        assert facts_of(run, "sales", 20_011, dice).sha256 in hashes
    newest = [facts_of(run, "sales", 20_020, dice) for run in LEARNED if run.build_days == 2]
    assert all(facts.sha256 not in hashes for facts in newest)
    assert all("{" not in facts.path + facts.created_by for facts in newest)
