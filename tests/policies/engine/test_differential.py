"""The indexed engine against the reference evaluator: the same answer for every generated event."""

from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policies.engine.decision import Decision
from policies.engine.engine import Engine
from tests.policies.engine import reference
from tests.policies.engine.strategies import World, worlds

EVENTS_PER_WORLD = 200
WORLDS = 120
EXPLAINED_OF_EACH_WORLD = 20


def as_answer(decision: Decision) -> tuple[object, ...]:
    return (
        decision.action,
        decision.effect,
        decision.policy,
        decision.application,
        decision.rule if decision.reason_code != "unreadable_rule" else None,
        decision.simulated,
        decision.learned,
        str(decision.reason_code),
    )


def as_expected(answer: reference.Answer, decision: Decision) -> tuple[object, ...]:
    application = decision.application if answer.reason == "unreadable_rule" else answer.application
    return (
        answer.action,
        answer.effect,
        answer.policy,
        application,
        answer.rule,
        answer.simulated,
        answer.learned,
        answer.reason,
    )


def compare(world: World, seed: int) -> Counter[str]:
    engine = Engine(world.applications, world.policies, world.os)
    seen: Counter[str] = Counter()
    for number, (facts, place, at_ms) in enumerate(world.events(seed, EVENTS_PER_WORLD)):
        decision = engine.decide(facts, place, at_ms)
        answer = reference.judge(world.applications, world.policies, facts, place, at_ms)
        assert as_answer(decision) == as_expected(answer, decision), (facts, place, at_ms)
        seen[answer.reason] += 1
        if number < EXPLAINED_OF_EACH_WORLD:
            explained = engine.explain(facts, place, at_ms)
            assert as_answer(explained) == as_answer(decision)
            steps = tuple(step.policy for step in explained.trace if step.outcome != "near_miss")
            assert steps == answer.candidates
    return seen


def test_twenty_thousand_generated_events_get_the_answer_of_the_reference() -> None:
    total: Counter[str] = Counter()

    @settings(
        max_examples=WORLDS,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # shrinking a whole world takes minutes; the failing event is in the message
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(worlds(), st.integers(0, 2**32))
    def run(world: World, seed: int) -> None:
        total.update(compare(world, seed))

    run()
    assert total.total() >= 20_000
    decided = total["permit"] + total["ringfence"] + total["deny"]
    assert decided >= total.total() * 0.1, total
    assert all(total[reason] for reason in ("permit", "ringfence", "deny", "default_deny", "no_policy")), total
