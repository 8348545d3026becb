"""The table of modes and effects, every cell, through the engine."""

import itertools
from dataclasses import replace

import pytest

from policies.engine.model import Window
from policies.engine.modes import default_verdict, verdict
from tests.policies.engine.worlds import DEFAULT_DENY, STRANGER, TOOL, decide, policy

EVERY_MONDAY = (Window(0, 0, 1_440),)
MODES = ("secured", "monitor_only", "learning", "installation")
ENFORCED, SIMULATED, LEARNED = (False, False), (True, False), (True, True)

# action and status -> (effect, (simulated, learned)) in each mode of MODES
EXPLICIT = {
    ("permit", "inherit"): [("permitted", ENFORCED)] * 4,
    ("permit", "secured"): [("permitted", ENFORCED)] * 4,
    ("permit", "monitor_only"): [("permitted", ENFORCED)] * 4,
    ("permit_ringfenced", "inherit"): [("ringfenced", ENFORCED)] + [("ringfenced", SIMULATED)] * 3,
    ("permit_ringfenced", "secured"): [("ringfenced", ENFORCED)] + [("ringfenced", SIMULATED)] * 3,
    ("permit_ringfenced", "monitor_only"): [("ringfenced", SIMULATED)] * 4,
    ("deny", "inherit"): [("denied", ENFORCED)] + [("permitted", SIMULATED)] * 3,
    ("deny", "secured"): [("denied", ENFORCED)] * 4,
    ("deny", "monitor_only"): [("permitted", SIMULATED)] * 4,
}
CELLS = [(row, mode, cell) for row, cells in EXPLICIT.items() for mode, cell in zip(MODES, cells, strict=True)]


@pytest.mark.parametrize(("row", "mode", "cell"), CELLS, ids=str)
def test_an_explicit_policy(row: tuple[str, str], mode: str, cell: tuple[str, tuple[bool, bool]]) -> None:
    action, status = row
    decision = decide(policy("p", action, status=status), policy("later", order=100_101), mode=mode)
    assert (decision.effect, (decision.simulated, decision.learned)) == cell
    assert (decision.action, decision.policy) == (action, "p"), "the walk stops here in every mode"


DEFAULT = [("denied", ENFORCED), ("permitted", SIMULATED), ("permitted", LEARNED), ("permitted", SIMULATED)]


@pytest.mark.parametrize(("mode", "cell"), list(zip(MODES, DEFAULT, strict=True)), ids=str)
@pytest.mark.parametrize("status", ["inherit", "secured", "monitor_only"])
def test_default_deny_whatever_its_status(mode: str, cell: tuple[str, tuple[bool, bool]], status: str) -> None:
    decision = decide(replace(DEFAULT_DENY, status=status), facts=STRANGER, mode=mode)
    assert (decision.effect, (decision.simulated, decision.learned)) == cell
    assert decision.action == "deny"


@pytest.mark.parametrize("mode", MODES)
def test_no_policy_at_all_is_treated_as_default_deny(mode: str) -> None:
    missing, default = decide(facts=STRANGER, mode=mode), decide(DEFAULT_DENY, facts=STRANGER, mode=mode)
    verdicts = [(one.effect, one.simulated, one.learned) for one in (missing, default)]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize(("action_type", "learned"), [("execute", False), ("write", True), ("install", True)])
def test_installation_learns_only_files_that_are_written(action_type: str, learned: bool) -> None:
    facts = replace(STRANGER, action_type=action_type)
    assert decide(DEFAULT_DENY, facts=facts, mode="installation").learned is learned
    assert decide(policy("p", "deny"), facts=replace(TOOL, action_type="write"), mode="installation").learned is False


@pytest.mark.parametrize(("action", "status", "mode"), [("x", "inherit", "secured"), ("deny", "x", "learning")])
def test_an_action_or_status_nobody_knows_denies(action: str, status: str, mode: str) -> None:
    assert verdict(action, status, mode).effect == "denied"


def test_a_mode_nobody_knows_is_secured() -> None:
    for action, status in itertools.product(("permit", "permit_ringfenced", "deny"), ("inherit", "secured")):
        assert verdict(action, status, "vacation") == verdict(action, status, "secured")
    assert default_verdict("vacation", "write").effect == "denied"


@pytest.mark.parametrize("mode", MODES)
def test_an_evaluation_error_is_a_deny_that_only_a_secured_policy_enforces_in_every_mode(mode: str) -> None:
    unreadable = {"time_zone": "Mars/Olympus", "schedule": EVERY_MONDAY}
    inherited = decide(policy("p", "deny", **unreadable), mode=mode)
    assert (inherited.effect == "denied") is (mode == "secured")
    assert (inherited.action, inherited.learned) == ("deny", False)
    assert decide(policy("p", "deny", status="secured", **unreadable), mode=mode).effect == "denied"
    lenient = decide(policy("p", "deny", status="monitor_only", **unreadable), mode=mode)
    assert (lenient.effect == "denied") is (mode == "secured")
