"""The strength meter: what a rule is worth, why, and that no condition ever weakens it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.catalogue import RuleDraft
from policies.engine.folders import ground_of
from policies.strength import strength, weakest

AGENT = r"c:\program files\acmermm\acme_agent.exe"
SCRIPT = r"regex:c:\\windows\\temp\\acmermm\\[0-9a-f]{10}\.ps1"


@pytest.mark.parametrize(
    ("rule", "score", "said"),
    [
        (RuleDraft(), 0, "No condition"),
        (RuleDraft(hash="ab" * 32), 5, "names one file"),
        (RuleDraft(certificate="CN=Acme", path=r"c:\program files\acme\*", created_by=AGENT), 5, "age well"),
        (RuleDraft(certificate="CN=Acme", path=r"c:\program files\acme\*"), 4, "age well"),
        (RuleDraft(certificate="CN=Acme", path=r"*\setup.exe"), 3, "names no folder"),
        (RuleDraft(certificate="CN=Acme"), 2, "The signer alone"),
        (RuleDraft(path=SCRIPT, process=AGENT, created_by=AGENT), 4, "says which characters change"),
        (RuleDraft(path=SCRIPT, created_by=AGENT), 3, "somebody swaps in"),
        (RuleDraft(path=r"regex:c:\\windows\\temp\\.*\.ps1", created_by=r"*\agent.exe"), 2, "any run of characters"),
        (RuleDraft(path=r"c:\program files\acme\*"), 2, "Only administrators"),
        (RuleDraft(path=r"c:\users\*\acme\*.ps1"), 1, "users can write to"),
        (RuleDraft(path=r"c:\acme\*"), 1, "users can mostly write"),
        (RuleDraft(path=r"*\acme.exe"), 1, "names no folder"),
        (RuleDraft(path=r"c:\*"), 1, "names no folder"),
        (RuleDraft(process=AGENT), 1, "whatever that program brings"),
        (RuleDraft(path=r"c:\acme\a.exe", process="[]"), 1, "users can mostly write"),
    ],
)
def test_a_rule_is_judged_with_its_reasons(rule: RuleDraft, score: int, said: str) -> None:
    judged = strength(rule, "windows")
    assert judged.score == score
    assert any(said in reason for reason in judged.reasons), judged.reasons


@pytest.mark.parametrize(
    ("pattern", "os", "ground"),
    [
        (r"%TEMP%\a.exe", "windows", "writable"),
        (r"%PROGRAMFILES%\Acme\*", "windows", "protected"),
        (r"C:/Windows/System32/*", "windows", "protected"),
        (r"c:\program files\*\temp\a.exe", "windows", "writable"),
        (r"regex:c:\\program files\\acme\\v[0-9]+\\a\.exe", "windows", "protected"),
        (r"regex:(c|d):\\tools\\a\.exe", "windows", "anywhere"),
        (r"regex:(?=broken", "windows", "anywhere"),
        ("/usr/lib/acme/*", "linux", "protected"),
        ("/home/*/bin/x", "linux", "writable"),
        ("/srv/tools/x", "linux", "open"),
        ("/USR/lib/acme/*", "linux", "open"),
        ("/Users/*/bin/x", "macos", "writable"),
        ("/usr/local/bin/x", "macos", "writable"),
        ("/Applications/Acme.app/*", "macos", "protected"),
        ("*.dmg", "macos", "anywhere"),
    ],
)
def test_a_pattern_says_who_can_put_a_file_there(pattern: str, os: str, ground: str) -> None:
    assert ground_of(pattern, os) == ground


PATTERNS = st.sampled_from(
    ["", r"c:\program files\acme\*", r"c:\users\*\x.exe", "*", r"*\a.exe", SCRIPT, "[]", "%nonsense%", "regex:(", "é*?"]
)
RULES = st.builds(
    RuleDraft,
    hash=st.sampled_from(["", "ab" * 32]), path=PATTERNS, process=PATTERNS, created_by=PATTERNS,
    certificate=st.sampled_from(["", "CN=Acme"]),
)  # fmt: skip


@given(RULES, st.sampled_from(["process", "created_by", "certificate", "hash"]), st.sampled_from(["windows", "linux"]))
def test_a_further_condition_never_makes_a_rule_weaker(rule: RuleDraft, box: str, os: str) -> None:
    value = {"hash": "cd" * 32, "certificate": "CN=Acme"}.get(box, AGENT)
    without, with_it = replace(rule, **{box: ""}), replace(rule, **{box: value})
    assert strength(with_it, os).score >= strength(without, os).score


@given(RULES, st.sampled_from(["windows", "macos", "linux"]))
def test_every_rule_has_a_score_a_label_and_a_reason_and_only_the_best_needs_no_advice(
    rule: RuleDraft, os: str
) -> None:
    judged = strength(rule, os)
    assert 0 <= judged.score <= 5
    assert judged.label
    assert judged.reasons
    assert judged.better or judged.score == 5


def test_the_weakest_rule_counts_for_an_application() -> None:
    rules = [RuleDraft(hash="ab" * 32), RuleDraft(path=r"*\a.exe"), RuleDraft(certificate="CN=Acme")]
    worst = weakest(strength(rule, "windows") for rule in rules)
    assert worst is not None
    assert worst.score == 1
    assert weakest([]) is None
