"""How long a decision takes: the indexed engine against policies and rules tried in order, with compiled patterns.

Questions: how much faster, does time grow with the number of rules, and can hostile wildcards slow it down?
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks import _rule_sets as sets
from benchmarks._measuring import Sample, cpu_seconds, growth_exponent, interleaved, ratio_line
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Place, Policy
from policies.engine.ordering import evaluation_key
from policies.engine.rules import FileRule

SIZES = (1_000, 10_000, 100_000)
HOSTILE = "10,000 hostile rules"
Test = Callable[[str], object]


class Naive:
    """What one writes first: the computer's policies in order, their rules in order, each pattern compiled once."""

    def __init__(self, goods: sets.Market, policies: list[Policy], place: Place) -> None:
        targets = {("global", "msp"), ("organization", place.organization), ("group", place.group)}
        mine = [policy for policy in policies if (policy.level, policy.target) in targets]
        self._policies = sorted(mine, key=lambda policy: evaluation_key(policy, True))
        self._rules = {one.id: [prepared(rule) for rule in one.rules] for one in goods.applications}

    def decide(self, facts: FileFacts, at_ms: int) -> tuple[str | None, str | None]:
        for policy in self._policies:
            if not policy.enabled or (policy.expires_at is not None and policy.expires_at <= at_ms):
                continue
            if policy.is_default:
                return policy.id, None
            for application in policy.applications:
                for name, digest, certificate, path, process, creator in self._rules[application]:
                    if digest and digest != facts.sha256:
                        continue
                    if certificate and certificate not in facts.certificates:
                        continue
                    if path and not path(facts.path):
                        continue
                    if process and not (facts.process and process(facts.process)):
                        continue
                    if creator and not (facts.created_by and creator(facts.created_by)):
                        continue
                    return policy.id, name
        return None, None


def prepared(rule: FileRule) -> tuple[str, str, str, Test | None, Test | None, Test | None]:
    path, process, creator = (full_match(one) if one else None for one in (rule.path, rule.process, rule.created_by))
    return rule.id, rule.hash, rule.certificate, path, process, creator


def full_match(pattern: str) -> Test:
    if pattern.startswith("regex:"):
        return re.compile(pattern[6:], re.DOTALL).fullmatch
    if "*" not in pattern and "?" not in pattern:
        return pattern.__eq__
    signs: Mapping[str, str] = {"*": ".*", "?": r"[^\\]"}
    return re.compile("".join(signs.get(char) or re.escape(char) for char in pattern), re.DOTALL).fullmatch


def contenders(label: str, goods: sets.Market, decisions: int, naive: int) -> dict[str, list[Callable[[], object]]]:
    """The engine on `decisions` events, and the naive walk on the first `naive` of them, which must agree."""
    policies = sets.policies(goods, min(1_500, 2 * len(goods.applications)))
    place, events = sets.place(), sets.events(goods, decisions)
    built: list[Engine] = []
    seconds = cpu_seconds(lambda: built.append(Engine(goods.applications, policies, "windows")))
    print(f"{label:<22} index built in {seconds:.2f} s")
    engine, walk = built[0], Naive(goods, policies, place)
    for facts in events[:naive]:
        decision = engine.decide(facts, place, sets.NOW_MS)
        assert (decision.policy, decision.rule) == walk.decide(facts, sets.NOW_MS), facts
    return {
        f"indexed, {label}": [partial(engine.decide, facts, place, sets.NOW_MS) for facts in events],
        f"naive, {label}": [partial(walk.decide, facts, sets.NOW_MS) for facts in events[:naive]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="200,000 rules too, and more events")
    parser.add_argument("--quick", action="store_true", help="the sizes of every day (the default)")
    full = parser.parse_args().full
    sizes = (*SIZES, 200_000) if full else SIZES
    decisions, rounds = (8_000, 7) if full else (4_000, 5)
    print(f"CPU time of one thread, medians of {rounds} interleaved rounds of {decisions:,} events; naive on fewer.")
    calls: dict[str, list[Callable[[], object]]] = {}
    for size in sizes:
        calls |= contenders(f"{size:,} rules", sets.market(size), decisions, max(20, 200_000 // size))
    calls |= contenders(HOSTILE, sets.market(10_000, hostile=True), decisions, 20)
    found = interleaved(calls, rounds)
    for name, sample in found.items():
        print(
            f"{name:<32} mean {sample.mean * 1e6:10.1f} µs   p50 {sample.percentile(0.5) * 1e6:8.1f}   "
            f"p99 {sample.percentile(0.99) * 1e6:8.1f}   {1 / sample.mean:>10,.0f} decisions/s"
        )
    print()
    print_ratios(found, sizes)


def print_ratios(found: Mapping[str, Sample], sizes: Sequence[int]) -> None:
    def mean(who: str, label: str) -> float:
        return found[f"{who}, {label}"].mean

    for size in sizes:
        ratio = mean("naive", f"{size:,} rules") / mean("indexed", f"{size:,} rules")
        print(ratio_line(f"naive / indexed at {size:,} rules", ratio, "≥ 1,000" if size == 100_000 else "-"))
    for who, goal in (("indexed", "≤ 0.20"), ("naive", "-")):
        exponent = growth_exponent(SIZES, [mean(who, f"{size:,} rules") for size in SIZES])
        print(ratio_line(f"growth exponent of {who}, 1k → 100k rules", exponent, goal, " "))
    hostile = mean("indexed", HOSTILE) / mean("indexed", "10,000 rules")
    print(ratio_line("hostile wildcards / normal mix at 10,000 rules", hostile, "≤ 2"))
    largest = found["indexed, 100,000 rules"]
    print(ratio_line("p99 / p50 at 100,000 rules", largest.percentile(0.99) / largest.percentile(0.5), "≤ 8"))


if __name__ == "__main__":
    main()
