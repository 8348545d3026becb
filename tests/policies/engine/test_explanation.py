"""The sentence a technician reads aloud, and the trace behind it."""

from dataclasses import replace
from typing import Any

import pytest

from policies.engine.decision import Decision
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application, Policy, Window
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule
from tests.policies.engine.worlds import DEFAULT_DENY, FINANCE, NOW, STRANGER, TOOL, decide, explain, policy

RMM = Application(
    "rmm",
    "Acme Tools",
    False,
    (
        FileRule("r1", hash="ab" * 32),
        FileRule("r2", path="c:\\elsewhere\\*"),
        FileRule("r3", path="C:\\RMM\\Scripts\\*.ps1", process=r"c:\rmm\agent.exe"),
        FileRule("r4", path="c:\\rmm\\scripts\\patch.ps1", hash="cd" * 32),
        FileRule("r5", path="c:\\rmm\\signed\\*", certificate="CN=Acme"),
        FileRule("r6", path="c:\\rmm\\made\\*", created_by="c:\\rmm\\agent.exe"),
        FileRule("r7", path="c:\\rmm\\orphan\\*", process="[]"),
    ),
)
PERMIT = policy("grp-finance-acme", applications=("rmm",))


def told(facts: FileFacts, *policies: Policy, **place: Any) -> Decision:
    engine = Engine([RMM], policies or (PERMIT, DEFAULT_DENY), "windows")
    return engine.explain(normal_facts(facts), replace(FINANCE, **place), NOW)


NEAR = [
    (
        FileFacts(r"c:\rmm\scripts\a.ps1", process=r"C:\Windows\Explorer.exe"),
        r"rule 3 of Acme Tools matched the path but the process was c:\windows\explorer.exe, not c:\rmm\agent.exe.",
    ),
    (
        FileFacts(r"c:\rmm\scripts\a.ps1"),
        "rule 3 of Acme Tools matched the path but the process is unknown.",
    ),
    (
        FileFacts(r"c:\rmm\signed\a.exe", certificates=("CN=Other",)),
        "rule 5 of Acme Tools matched the path but it was signed by cn=other, not cn=acme.",
    ),
    (
        FileFacts(r"c:\rmm\signed\a.exe"),
        "rule 5 of Acme Tools matched the path but it is not signed.",
    ),
    (
        FileFacts(r"c:\rmm\made\a.exe", created_by=r"c:\x.exe"),
        r"rule 6 of Acme Tools matched the path but it was created by c:\x.exe, not c:\rmm\agent.exe.",
    ),
    (
        FileFacts(r"c:\rmm\made\a.exe"),
        "rule 6 of Acme Tools matched the path but it is not known what created it.",
    ),
    (
        FileFacts(r"c:\rmm\orphan\a.exe", process=r"c:\x.exe"),
        r"rule 7 of Acme Tools matched the path but the process was c:\x.exe, and the rule wants none.",
    ),
    (
        FileFacts(r"c:\rmm\scripts\patch.ps1", sha256="ef" * 32, process=r"c:\x.exe"),
        "rule 4 of Acme Tools matched the path but the hash was efefefefefef…, not cdcdcdcdcdcd….",
    ),
    (
        FileFacts(r"c:\temp\a.ps1", certificates=("CN=acme",), process=r"c:\rmm\agent.exe"),
        r"rule 5 of Acme Tools matched the certificate but the path was c:\temp\a.ps1, not c:\rmm\signed\*.",
    ),
]


@pytest.mark.parametrize(("facts", "closest"), NEAR, ids=[row[1][:60] for row in NEAR])
def test_a_denial_names_what_came_closest(facts: FileFacts, closest: str) -> None:
    assert told(facts).because == f"Denied by Default - (Finance): no policy matched. Closest: {closest}"


def test_without_anything_close_it_says_only_that() -> None:
    assert told(STRANGER).because == "Denied by Default - (Finance): no policy matched."
    assert told(STRANGER, PERMIT).because == "Denied: no policy matched, and this computer has no Default Deny."


def test_a_launcher_or_creator_alone_brings_no_rule_close() -> None:
    facts = FileFacts(r"c:\temp\a.ps1", process=r"c:\rmm\agent.exe", created_by=r"c:\rmm\agent.exe")
    decision = told(facts)
    assert decision.because == "Denied by Default - (Finance): no policy matched."
    assert [step.outcome for step in decision.trace] == ["won"]


def test_without_default_deny_the_closest_is_named_too() -> None:
    because = told(FileFacts(r"c:\rmm\made\a.exe"), PERMIT).because
    assert because.startswith("Denied: no policy matched, and this computer has no Default Deny. Closest: rule 6 of")


def test_a_permit_names_the_rule_and_every_condition_that_matched() -> None:
    facts = FileFacts(r"c:\rmm\scripts\a.ps1", process=r"c:\rmm\agent.exe")
    assert told(facts).because == (
        "Permitted by grp-finance-acme: rule 3 of Acme Tools matched the path and the process."
    )
    assert decide(policy("p")).because == "Permitted by p: rule 1 of Acme Tools matched."


RULINGS = [
    (policy("p", "deny"), {}, "Denied by p: rule 1"),
    (policy("p", "permit_ringfenced"), {}, "Permitted with ringfence by p: rule 1"),
    (
        policy("p", "permit_ringfenced"),
        {"mode": "learning"},
        "Permitted with ringfence by p, violations only logged because this computer is learning: rule 1",
    ),
    (
        policy("p", "permit_ringfenced", status="monitor_only"),
        {},
        "Permitted with ringfence by p, violations only logged because the policy only monitors: rule 1",
    ),
    (
        policy("p", "deny"),
        {"mode": "monitor_only"},
        "Would be denied by p, permitted because this computer only monitors: rule 1",
    ),
    (
        policy("p", "deny", status="monitor_only"),
        {},
        "Would be denied by p, permitted because the policy only monitors: rule 1",
    ),
    (
        DEFAULT_DENY,
        {"mode": "installation"},
        "Would be denied by Default - (Finance), permitted because this computer is in installation mode: no policy",
    ),
    (policy("p", "deny", schedule=(Window(0, 5, 5),)), {}, "Denied by p: its schedule cannot be read"),
]


@pytest.mark.parametrize(("one", "place", "start"), RULINGS, ids=[row[2] for row in RULINGS])
def test_the_sentence_says_what_happened_and_why_it_is_not_enforced(
    one: Policy, place: dict[str, Any], start: str
) -> None:
    assert decide(one, **place).because.startswith(start)
    assert explain(one, **place).because.startswith(start)


SKIPPED = [
    ({"enabled": False}, "disabled", "p is disabled."),
    ({"starts_at": NOW + 1}, "not_started", "p does not start before 2026-03-27 08:26 UTC."),
    ({"expires_at": NOW}, "expired", "p expired at 2026-03-27 08:26 UTC."),
    ({"users": ("acme\\bob",)}, "other_user", "p is not for this user."),
    ({"schedule": (Window(6, 1, 2),)}, "outside_schedule", "p is outside its schedule."),
    ({"schedule": (Window(9, 1, 2),)}, "unreadable_schedule", "p has a schedule that cannot be read."),
]


@pytest.mark.parametrize(("fields", "reason", "words"), SKIPPED, ids=[row[1] for row in SKIPPED])
def test_a_policy_that_matched_but_does_not_count_is_told(fields: dict[str, Any], reason: str, words: str) -> None:
    decision = explain(policy("p", **fields), DEFAULT_DENY)
    assert decision.because == (
        f"Denied by Default - (Finance): no policy matched. Closest: rule 1 of Acme Tools matched but {words}"
    )
    assert [(step.outcome, step.policy, step.reason) for step in decision.trace] == [
        ("skipped", "p", reason),
        ("won", "zz-default", ""),
    ]


def test_the_trace_lists_candidates_in_evaluation_order_and_then_near_misses() -> None:
    engine = Engine(
        [RMM, Application("all", "All Scripts", False, (FileRule("a1", path="*.ps1"),))],
        [
            policy("off", applications=("all",), order=100_001, enabled=False),
            policy("near", applications=("rmm",), order=100_101),
            policy("winner", "permit_ringfenced", applications=("all",), order=100_201),
            policy("later", "deny", applications=("all",), order=100_301),
            policy("unrelated", "deny", applications=("none",), order=100_001),
            DEFAULT_DENY,
        ],
        "windows",
    )
    decision = engine.explain(normal_facts(FileFacts(r"c:\rmm\scripts\a.ps1")), FINANCE, NOW)
    assert [(step.outcome, step.policy) for step in decision.trace] == [
        ("skipped", "off"),
        ("won", "winner"),
        ("later", "later"),
        ("later", "zz-default"),
        ("near_miss", "near"),
    ]
    won, near = decision.trace[1], decision.trace[4]
    assert (won.rule, won.rule_number, won.application_name, won.order, won.level) == (
        "a1", 1, "All Scripts", 100_201, "group",
    )  # fmt: skip
    assert [(check.field, check.matched) for check in near.conditions] == [("path", True), ("process", False)]
    assert near.conditions[1].pattern == r"c:\rmm\agent.exe" and near.conditions[1].value == ""


def test_near_misses_are_five_at_most_and_the_closest_come_first() -> None:
    many = tuple(FileRule(f"m{n}", path="c:\\acme\\*", process=f"c:\\{n}.exe") for n in range(20))
    close = FileRule("close", path="c:\\acme\\*", certificate="cn=a", process="c:\\x.exe")
    applications = [Application("many", "Many", False, (*many, close, FileRule("far", process="[]", path="d:\\*")))]
    engine = Engine(applications, [policy("p", applications=("many",)), DEFAULT_DENY], "windows")
    decision = engine.explain(replace(TOOL, certificates=("cn=a",)), FINANCE, NOW)
    near = [step.rule for step in decision.trace if step.outcome == "near_miss"]
    assert near == ["close", "m0", "m1", "m2", "m3"]


def test_what_a_policy_behind_the_winner_nearly_matched_is_not_told() -> None:
    decision = told(
        FileFacts(r"c:\rmm\made\a.exe"), replace(PERMIT, order=100_101), policy("p", "deny", applications=())
    )
    assert [(step.outcome, step.rule) for step in decision.trace] == [("near_miss", "r6")]
    engine = Engine(
        [RMM, Application("all", "All", False, (FileRule("a", path="*.exe"),))],
        [policy("winner", applications=("all",)), replace(PERMIT, order=100_101)],
        "windows",
    )
    trace = engine.explain(normal_facts(FileFacts(r"c:\rmm\made\a.exe")), FINANCE, NOW).trace
    assert [step.outcome for step in trace] == ["won"]


def test_hidden_characters_are_written_out_and_long_paths_cut() -> None:
    facts = FileFacts("c:\\rmm\\scripts\\a.ps1", process="c:\\\u202eexe.\x00\x1b\udc80" + "x" * 500)
    because = told(facts).because
    assert r"c:\\u202eexe.\x00\x1b\udc80xxx" in because
    assert "…" in because and len(because) < 500
    assert because.isprintable()


def test_the_hot_path_carries_no_trace_and_gives_the_same_verdict() -> None:
    quick, slow = decide(policy("p", "deny"), DEFAULT_DENY), explain(policy("p", "deny"), DEFAULT_DENY)
    assert quick.trace == () and slow.trace
    assert replace(slow, trace=(), because="") == replace(quick, because="")
