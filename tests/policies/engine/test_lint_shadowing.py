"""A finding of shadowing or covering is a promise. Here it is held against the engine and the reference evaluator."""

from dataclasses import replace

from hypothesis import given, settings, target
from hypothesis import strategies as st

from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.lint import Code, PolicySet, lint
from policies.engine.lint.cover import Cover
from policies.engine.lint.policy_set import Target, target_of
from policies.engine.model import Application, Place, Policy
from policies.engine.normal_form import normal_facts
from policies.engine.rules import FileRule
from tests.policies.engine import reference
from tests.policies.engine.strategies import MODES, TIMES, USERS, filled, policies, rules

PLACES = (
    Place("c1", "g1", "o1", above=("msp", "gg1")),
    Place("c2", "g1", "o1", above=("msp", "gg1")),
    Place("c3", "g2", "o1", above=("msp",)),
    Place("c4", "g3", "o2", above=("msp", "gg1")),
    Place("c5", "g4", "msp"),
)
TARGETS: tuple[Target, ...] = (
    ("computer", "c1"),
    ("group", "g1"),
    ("group", "g2"),
    ("organization", "o1"),
    ("organization", "o2"),
    ("global", "msp"),
    ("global", "gg1"),
)


def surrounding_by_brute_force() -> dict[Target, frozenset[Target]]:
    """Straight from the definition: the targets that hold every computer a target holds."""

    def holds(one: Target) -> frozenset[str]:
        policy = Policy("x", "x", one[0], one[1], "deny")  # type: ignore[arg-type]
        return frozenset(place.computer for place in PLACES if reference.applies(policy, place))

    return {one: frozenset(other for other in TARGETS if holds(one) <= holds(other)) for one in TARGETS}


SURROUNDING = surrounding_by_brute_force()


@st.composite
def widened(draw: st.DrawFn, rule: FileRule, number: int) -> FileRule:
    """The rule with some of its text replaced by stars and some of its boxes emptied: it often covers the other."""

    def wider(text: str) -> str:
        if not text or text == "[]" or text.startswith("regex:") or draw(st.booleans()):
            return text
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        return text[:start] + draw(st.sampled_from(("*", "*", "*", "?", ""))) + text[end:]

    kept = {name: wider(getattr(rule, name)) for name in ("path", "process", "created_by")}
    dropped = draw(st.sampled_from(("", "", "hash", "path", "process", "created_by", "certificate")))
    wide = replace(rule, id=f"wide-{number}", **kept)
    return replace(wide, **{dropped: ""}) if dropped else wide


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    os = draw(st.sampled_from(("windows", "windows", "linux")))
    narrow = [draw(rules(os, number)) for number in range(draw(st.integers(1, 4)))]
    wide = [draw(widened(rule, number)) for number, rule in enumerate(narrow)]
    more = [draw(rules(os, 20 + number)) for number in range(draw(st.integers(0, 2)))]
    applications = (
        Application("app-0", "Wide", False, (*wide, *more)),
        Application("app-1", "Narrow", False, tuple(narrow)),
        Application("app-2", "Both", False, (*narrow[:2], *wide[:1])),
    )
    drawn = [draw(policies(number, 2)) for number in range(draw(st.integers(2, 7)))]
    placed = []
    for policy in drawn:
        level, at = draw(st.sampled_from(TARGETS))
        placed.append(replace(policy, level=level, target=at))
    default = Policy("default", "Default", "group", "g1", "deny", order=1_000_000, is_default=True)
    first = draw(st.sampled_from((frozenset((True,)), frozenset((False,)), frozenset((True, False)))))
    return PolicySet(applications, (*placed, default), os, TIMES[0], SURROUNDING, first)


@st.composite
def files_for(draw: st.DrawFn, rule: FileRule, os: str) -> FileFacts:
    """A file that is meant to match the rule: what it does not ask for is anything."""

    def text(pattern: str) -> str:
        if pattern == "[]":
            return ""
        if not pattern or pattern.startswith("regex:"):
            return draw(st.sampled_from(("", "c:\\acme\\tool.exe", "/opt/acme/tool", "a", "c:\\a\\x.exe:s")))
        return filled(draw, pattern)

    return normal_facts(
        FileFacts(
            path=text(rule.path),
            sha256=rule.hash or draw(st.sampled_from(("", "d" * 64))),
            certificates=(rule.certificate,) if rule.certificate else (),
            process=text(rule.process),
            created_by=text(rule.created_by),
            user=draw(st.sampled_from(USERS)),
            os=os,
        )
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_file_is_ever_decided_by_a_policy_that_is_told_to_be_shadowed(data: st.DataObject) -> None:
    world = data.draw(policy_sets())
    told = {one.subject for one in lint(world) if one.code is Code.SHADOWED}
    target(len(told), label="shadowed policies")
    engine = Engine(world.applications, world.policies, world.os)
    by_id = {application.id: application for application in world.applications}
    for policy in world.policies:
        for rule in [rule for a in policy.applications if a in by_id for rule in by_id[a].rules]:
            if policy.id not in told:
                continue
            facts = data.draw(files_for(rule, world.os))
            for place in PLACES:
                for first in world.builtin_first:
                    here = replace(place, os=world.os, prioritize_builtin=first, mode=data.draw(st.sampled_from(MODES)))
                    at = data.draw(st.sampled_from(TIMES))
                    assert engine.decide(facts, here, at).policy != policy.id
                    assert reference.judge(world.applications, world.policies, facts, here, at).policy != policy.id


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_file_of_a_covered_rule_matches_the_rule_that_covers_it(data: st.DataObject) -> None:
    os = data.draw(st.sampled_from(("windows", "linux")))
    narrow = data.draw(rules(os, 1))
    wide = data.draw(widened(narrow, 2))
    cover = Cover((Application("a", "A", False, (narrow, wide)),), os)
    doubled = list(cover.doubled())
    target(len(doubled), label="covered rules")
    for row, other, _ in doubled:
        for _ in range(5):
            facts = data.draw(files_for(row.rule, os))
            if reference.rule_matches(row.rule, facts):
                assert reference.rule_matches(other.rule, facts)


def test_the_definition_of_surrounding_is_what_the_engine_walks() -> None:
    assert SURROUNDING["computer", "c1"] == {
        ("computer", "c1"),
        ("group", "g1"),
        ("organization", "o1"),
        ("global", "msp"),
        ("global", "gg1"),
    }
    assert target_of(Policy("p", "p", "group", "g1", "deny")) in SURROUNDING
