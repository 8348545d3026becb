"""What linting a whole policy set costs, beside building the index that decisions need.

Question: can 1,500 policies on 100,000 rules be linted for a few times what their index takes to build?
"""

from __future__ import annotations

import argparse
from collections import Counter
from functools import partial

from benchmarks import _rule_sets as sets
from benchmarks._measuring import interleaved, ratio_line
from policies.engine.lint import PolicySet, Target, Usage, lint
from policies.engine.rule_index import RuleIndex
from policies.engine.variables import STANDARD_MACHINE

POLICIES = 1_500
_DAY_MS = 86_400_000


def policy_set(size: int) -> PolicySet:
    """The market of the other engine benchmarks, seen by one organization of the MSP with eight groups."""
    goods = sets.market(size)
    policies = tuple(sets.policies(goods, POLICIES, groups=8))
    organization: frozenset[Target] = frozenset({("organization", "o0"), ("global", "msp")})
    surrounding: dict[Target, frozenset[Target]] = {
        ("global", "msp"): frozenset({("global", "msp")}),
        ("organization", "o0"): organization,
        **{("group", f"g{number}"): organization | {("group", f"g{number}")} for number in range(8)},
    }
    usage = {policy.id: Usage(sets.NOW_MS - 60 * _DAY_MS, None) for policy in policies[::7]}
    return PolicySet(goods.applications, policies, "windows", sets.NOW_MS, surrounding, usage=usage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="200,000 rules too, and more rounds")
    parser.add_argument("--quick", action="store_true", help="the sizes of every day (the default)")
    full = parser.parse_args().full
    sizes, rounds = ((10_000, 100_000, 200_000), 9) if full else ((10_000, 100_000), 5)
    print(f"CPU time of one thread, medians of {rounds} interleaved rounds; {POLICIES:,} policies.")
    worlds = {size: policy_set(size) for size in sizes}
    calls = {
        f"{what}, {size:,} rules": [call]
        for size, world in worlds.items()
        for what, call in (
            ("index build", partial(RuleIndex, world.applications, world.os, STANDARD_MACHINE)),
            ("lint", partial(lint, world)),
        )
    }
    found = interleaved(calls, rounds)
    for name, sample in found.items():
        print(f"{name:<28} {sample.mean:6.2f} s")
    codes = Counter(str(one.code) for one in lint(worlds[100_000]))
    print("found at 100,000 rules:", ", ".join(f"{code} {count:,}" for code, count in codes.most_common()))
    print()
    for size in sizes:
        ratio = found[f"lint, {size:,} rules"].mean / found[f"index build, {size:,} rules"].mean
        print(ratio_line(f"lint / index build at {size:,} rules", ratio, "≤ 4" if size == 100_000 else "-"))


if __name__ == "__main__":
    main()
