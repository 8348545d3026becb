"""Which policy decides: scope, activity, bands, ties, and what cannot be judged."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from policies.engine.decision import ReasonCode
from policies.engine.facts import FileFacts
from policies.engine.model import Application, Policy, Window
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule
from tests.policies.engine.worlds import DEFAULT_DENY, FINANCE, NOW, STRANGER, TOOL, at, decide, engine, policy

PERMIT, RINGFENCE, DENY = "permit", "permit_ringfenced", "deny"


def test_lower_order_wins() -> None:
    assert decide(policy("b", DENY, order=100_201), policy("a", order=100_101)).policy == "a"


@pytest.mark.parametrize(("weak", "strong"), [(PERMIT, RINGFENCE), (RINGFENCE, DENY), (PERMIT, DENY)])
def test_of_equal_orders_the_most_restrictive_wins_even_from_farther_away(weak: str, strong: str) -> None:
    near = policy("a-near", weak, **at("computer"))
    far = policy("z-far", strong, **at("global"))
    assert decide(near, far).policy == "z-far"


LEVELS = ("computer", "group", "organization", "global")


@pytest.mark.parametrize(("near", "far"), list(itertools.combinations(LEVELS, 2)))
def test_of_equal_orders_and_actions_the_nearest_scope_wins(near: str, far: str) -> None:
    assert decide(policy("a", **at(far)), policy("z", **at(near))).policy == "z"


def test_of_two_that_differ_in_nothing_the_lower_id_wins() -> None:
    assert decide(policy("b", target="finance"), policy("a", target="finance")).policy == "a"


BUILTIN = policy("builtin", PERMIT, order=99_999, applications=("agent",))
CUSTOM = policy("custom", DENY, order=100_001)


def test_builtin_policies_come_first_unless_the_setting_is_off() -> None:
    assert decide(BUILTIN, CUSTOM, DEFAULT_DENY, prioritize_builtin=True).policy == "builtin"
    assert decide(BUILTIN, CUSTOM, DEFAULT_DENY, prioritize_builtin=False).policy == "custom"


def test_default_deny_stays_last_when_the_bands_swap_and_whatever_its_number() -> None:
    odd = replace(DEFAULT_DENY, order=101)
    assert decide(BUILTIN, odd, prioritize_builtin=False).policy == "builtin"
    assert decide(BUILTIN, odd, prioritize_builtin=True).policy == "builtin"


def test_default_deny_is_recognised_by_its_flag_not_by_its_name_or_number() -> None:
    renamed = replace(DEFAULT_DENY, name="whatever")
    assert decide(renamed, facts=STRANGER).reason_code == ReasonCode.DEFAULT_DENY
    impostor = replace(DEFAULT_DENY, is_default=False)
    assert decide(impostor, facts=STRANGER).reason_code == ReasonCode.NO_POLICY


@pytest.mark.parametrize(
    "fields", [{"enabled": False}, {"expires_at": NOW}, {"users": ("nobody",)}, {"schedule": (Window(0, 5, 5),)}]
)
def test_nothing_switches_default_deny_off(fields: dict[str, Any]) -> None:
    assert decide(replace(DEFAULT_DENY, **fields), facts=STRANGER).policy == "zz-default"


def test_without_default_deny_it_is_still_a_deny() -> None:
    decision = decide(facts=STRANGER)
    assert (decision.effect, decision.policy, decision.reason_code) == ("denied", None, "no_policy")


ELSEWHERE = [
    {"level": "computer", "target": "fin-02"},
    {"level": "group", "target": "sales"},
    {"level": "organization", "target": "brisk-otter"},
    {"level": "organization", "target": "northwind"},
    {"level": "global", "target": "all-linux"},
    {"level": "group", "target": "fin-01"},
    {"level": "computer", "target": "finance"},
]


@pytest.mark.parametrize("scope", ELSEWHERE, ids=lambda scope: "-".join(scope.values()))
def test_a_policy_of_elsewhere_does_not_apply(scope: dict[str, str]) -> None:
    assert decide(policy("p", **scope), DEFAULT_DENY).policy == "zz-default"


HERE = [at(level) for level in LEVELS] + [{"level": "global", "target": "all-windows"}]


@pytest.mark.parametrize("scope", HERE, ids=lambda scope: "-".join(scope.values()))
def test_a_policy_of_here_applies(scope: dict[str, str]) -> None:
    assert decide(policy("p", **scope), DEFAULT_DENY).policy == "p"


def test_the_whole_msp_includes_its_own_computers() -> None:
    whole = policy("p", level="global", target="northwind")
    assert decide(whole, organization="northwind", above=()).policy == "p"


# (what, fields of the policy, whether it counts at NOW for ACME\Ann)
ACTIVITY = [
    ("disabled", {"enabled": False}, False),
    ("starts now", {"starts_at": NOW}, True),
    ("starts in a millisecond", {"starts_at": NOW + 1}, False),
    ("expires now", {"expires_at": NOW}, False),
    ("expires in a millisecond", {"expires_at": NOW + 1}, True),
    ("for this user, in other case", {"users": ("acme\\ANN",)}, True),
    ("for another user", {"users": ("acme\\bob",)}, False),
    ("for everyone", {"users": ()}, True),
]


@pytest.mark.parametrize(("what", "fields", "counts"), ACTIVITY, ids=[row[0] for row in ACTIVITY])
def test_when_a_policy_counts(what: str, fields: dict[str, Any], counts: bool) -> None:
    decision = decide(policy("p", **fields), policy("next", DENY, order=100_101))
    assert decision.policy == ("p" if counts else "next"), what


def test_a_policy_on_several_applications_names_the_first_that_matched() -> None:
    assert decide(policy("p", applications=("unknown", "agent", "tools"))).application == "agent"
    assert decide(policy("p", applications=("tools", "agent"))).application == "tools"


def test_a_policy_without_applications_matches_nothing() -> None:
    assert decide(policy("p", applications=()), DEFAULT_DENY).policy == "zz-default"


BROKEN = Application("broken", "Broken", False, (FileRule("b-1", path="c:\\x"), FileRule("b-2", path="regex:(?!a)b")))


@pytest.mark.parametrize("pattern", ["regex:(?!a)b", "%NOBODY%\\x", "regex:(", '""'])
def test_a_deny_with_a_rule_nobody_can_read_denies_what_reaches_it(pattern: str) -> None:
    broken = Application("broken", "Broken", False, (FileRule("b-1", path=pattern),))
    own = policy("p", DENY, applications=("broken",))
    machine = engine(own, policy("later", order=100_101), applications=(broken, engine_tools()))
    decision = machine.decide(TOOL, FINANCE, NOW)
    assert (decision.effect, decision.reason_code, decision.policy) == ("denied", "unreadable_rule", "p")
    assert machine.unreadable_applications == {"broken"}


def engine_tools() -> Application:
    return Application("tools", "Acme Tools", False, (FileRule("tools-1", path="c:\\acme\\*"),))


def broken_then_permit(*policies: Policy, facts: FileFacts = TOOL, **place: Any) -> Any:
    machine = engine(*policies, policy("later", order=100_101), applications=(BROKEN, engine_tools()))
    return machine.explain(facts, replace(FINANCE, **place), NOW)


def test_a_ringfence_nobody_can_read_denies_rather_than_being_skipped() -> None:
    decision = broken_then_permit(policy("p", RINGFENCE, applications=("broken",)))
    assert (decision.action, decision.effect, decision.reason_code) == ("deny", "denied", "unreadable_rule")


def test_a_permit_nobody_can_read_is_passed_over_and_told() -> None:
    decision = broken_then_permit(policy("p", PERMIT, applications=("broken",)))
    assert (decision.effect, decision.policy) == ("permitted", "later")
    assert [(step.policy, step.outcome, step.reason) for step in decision.trace[:2]] == [
        ("p", "skipped", "unreadable_rule"),
        ("later", "won", ""),
    ]


def test_rules_that_can_be_read_still_match_beside_one_that_cannot() -> None:
    facts = normal_facts(FileFacts("c:\\x"))
    decision = broken_then_permit(policy("p", RINGFENCE, applications=("broken",)), facts=facts)
    assert (decision.effect, decision.rule) == ("ringfenced", "b-1")


def test_what_stands_above_a_broken_policy_is_not_touched_by_it() -> None:
    decision = broken_then_permit(policy("p", DENY, order=100_201, applications=("broken",)))
    assert decision.policy == "later"


UNREADABLE_SCHEDULES = [
    {"schedule": (Window(0, 1, 2),), "time_zone": "Mars/Olympus"},
    {"schedule": (Window(0, 1, 2),), "time_zone": "../../etc/passwd"},
    {"schedule": (Window(0, 1, 2),), "time_zone": ""},
    {"schedule": (Window(0, 5, 5),)},
    {"schedule": (Window(7, 1, 2),)},
    {"schedule": (Window(0, -1, 2),)},
    {"schedule": (Window(0, 1, 1_441),)},
]


@pytest.mark.parametrize("fields", UNREADABLE_SCHEDULES, ids=str)
def test_a_schedule_nobody_can_read_counts_as_whatever_is_stricter(fields: dict[str, Any]) -> None:
    later = policy("later", order=100_101)
    denied = decide(policy("p", DENY, **fields), later)
    assert (denied.effect, denied.reason_code) == ("denied", "unreadable_policy")
    assert decide(policy("p", RINGFENCE, **fields), later).effect == "denied"
    assert decide(policy("p", PERMIT, **fields), later).policy == "later"


@pytest.mark.parametrize("at_ms", [-1, 2**63, 253_402_300_800_000])
def test_an_instant_outside_time_is_a_denial_of_its_own(at_ms: int) -> None:
    decision = decide(policy("p"), at_ms=at_ms)
    assert (decision.effect, decision.reason_code, decision.policy) == ("denied", "bad_time", None)


def test_facts_of_another_operating_system_are_a_denial_of_their_own() -> None:
    decision = decide(policy("p"), facts=FileFacts("/opt/x", os="linux"))
    assert (decision.effect, decision.reason_code) == ("denied", "wrong_os")


def test_a_draft_shares_the_index_and_nothing_else() -> None:
    live = engine(policy("live"))
    draft = live.with_policies([policy("draft", DENY)])
    assert live.decide(TOOL, FINANCE, NOW).policy == "live"
    assert draft.decide(TOOL, FINANCE, NOW).policy == "draft"


def test_moving_a_policy_never_changes_a_decision_it_does_not_match() -> None:
    other = policy("other", DENY, applications=("agent",))
    facts = normal_facts(FileFacts("c:\\x\\only-tools.exe"))
    tools = Application("tools", "T", False, (FileRule("t", path="c:\\x\\*"),))
    agent = Application("agent", "A", True, (FileRule("a", path="c:\\y\\*"),))
    for order in (101, 100_000, 100_001, 100_150, 999_999):
        machine = engine(policy("p", order=100_101), replace(other, order=order), applications=(tools, agent))
        assert machine.decide(facts, FINANCE, NOW).policy == "p"
