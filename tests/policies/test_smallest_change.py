"""What is proposed for a few applications holds with all of them: any world of the engine's own tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from policies.compile import Rules
from policies.engine.decision import Decision
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application, Place, Policy
from policies.engine.ordering import LAST_CUSTOM
from policies.engine.rules import FileRule
from policies.evaluate import Case
from policies.evaluation.smallest import NEW, Change, smallest_changes, spread
from tests.policies.engine.strategies import World, worlds

AT = 1_790_000_000_000


def case_of(world: World, facts: FileFacts, place: Place) -> Case:
    engine = Engine(world.applications, world.policies, world.os)
    known = {application.id: application for application in world.applications}
    matter = engine.matching_rules(facts).keys() | engine.unreadable_applications
    rules = Rules(known, dict.fromkeys(known, world.os), world.policies)
    decision = engine.explain(facts, place, AT)
    places: Any = None  # what only the database knows is not looked at
    return Case(decision, places, place, facts, facts, AT, rules, {a: known[a] for a in matter if a in known})


def same(one: Decision, other: Decision) -> bool:
    return (one.effect, one.action, one.policy, one.rule) == (other.effect, other.action, other.policy, other.rule)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_applications_that_do_not_match_have_no_say(world: World) -> None:
    for facts in world.facts[:6]:
        for place in world.places[:2]:
            case = case_of(world, facts, place)
            few = Engine(case.applications.values(), spread(case.policies), world.os)
            assert same(few.decide(facts, place, AT), case.decision)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_a_proposed_change_permits_in_the_whole_world(world: World) -> None:
    for facts in world.facts[:6]:
        for place in world.places[:2]:
            case = case_of(world, facts, place)
            for change in smallest_changes(case):
                assert case.decision.action == "deny"
                if change.before is None and change.code != "add_user":
                    decision = decided_with(world, facts, place, change)
                    assert decision.action != "deny", change


def decided_with(world: World, facts: FileFacts, place: Place, change: Change) -> Decision:
    """The change made to everything there is, as a person would make it."""
    policies, applications = list(world.policies), list(world.applications)
    edits: dict[str, dict[str, Any]] = {
        "arm": {"enabled": True},
        "extend": {"expires_at": None},
        "start": {"starts_at": None},
        "widen_schedule": {"schedule": ()},
        "disable": {"enabled": False},
    }
    if change.code in edits:
        policies = [replace(p, **edits[change.code]) if p.id == change.policy else p for p in policies]
    elif change.code == "prioritize":
        place = replace(place, prioritize_builtin=not place.prioritize_builtin)
    elif change.rule is not None:
        rule = FileRule(
            NEW,
            change.rule.hash,
            change.rule.path,
            change.rule.process,
            change.rule.created_by,
            change.rule.certificate,
        )
        if change.code == "add_rule":
            applications = [
                replace(a, rules=(*a.rules, rule)) if a.id == change.application else a for a in applications
            ]
        else:
            target = place.computer if change.level == "computer" else place.group
            applications.append(Application(NEW, "new", False, (rule,)))
            policies.append(Policy(NEW, "new", change.level, target, "permit", order=LAST_CUSTOM, applications=(NEW,)))
    return Engine(applications, policies, world.os).decide(facts, place, AT)
