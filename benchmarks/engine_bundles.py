"""What compiling and shipping bundles costs for 1,000 groups: a full bundle per group against shared layers.

Naive: every group gets one blob with its policies and all rules they name. Layered: one blob per policy target and per
application, named by digest; a group's manifest lists them all, as the agent protocol has it.
Measured too: one new global permit, and one hash
learned into a large application.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import msgspec
import zstandard

from benchmarks import _rule_sets as sets
from benchmarks._measuring import ratio_line
from policies.engine import bundle
from policies.engine.model import Application, Policy
from policies.engine.rules import FileRule

T = TypeVar("T")

ORGANIZATIONS, GROUPS_EACH = 50, 20
RULES, POLICIES = 100_000, 1_500
SIGNATURE_BYTES = 64


def chain(group: int) -> list[tuple[str, str]]:
    return [("global", "msp"), ("organization", f"o{group // GROUPS_EACH}"), ("group", f"g{group}")]


class Naive:
    """One blob per group, from scratch."""

    def __init__(self, applications: dict[str, Application], policies: list[Policy]) -> None:
        self._applications = applications
        self._policies = by_target(policies)

    def blob(self, group: int) -> bytes:
        mine = [policy for key in chain(group) for policy in self._policies.get(key, [])]
        mine.sort(key=lambda policy: (policy.order, policy.id))
        names = sorted({name for policy in mine for name in policy.applications})
        document = [mine, [self._applications[name] for name in names]]
        return zstandard.ZstdCompressor(level=3).compress(msgspec.json.encode(document))


class Layered:
    """Blobs by digest, each compiled once; a manifest is what a group needs to know of them."""

    def __init__(self, applications: dict[str, Application], policies: list[Policy]) -> None:
        self._applications = applications
        self._policies = by_target(policies)
        self._digests: dict[tuple[str, str], tuple[bytes, ...]] = {}
        self.blobs: dict[bytes, bytes] = {}

    def manifest(self, group: int) -> bytes:
        digests = dict.fromkeys(digest for key in chain(group) for digest in self._layer(key))
        return msgspec.msgpack.encode([1, group, list(digests)])

    def _layer(self, key: tuple[str, str]) -> tuple[bytes, ...]:
        """The digests of a target's policies and of the applications they name."""
        known = self._digests.get(key)
        if known is None:
            policies = self._policies.get(key, [])
            names = dict.fromkeys(name for policy in policies for name in policy.applications)
            layer = self._put(bundle.compile_layer(key[0], key[1], policies))  # type: ignore[arg-type]
            known = self._digests[key] = (layer, *(self._application(name) for name in names))
        return known

    def _application(self, name: str) -> bytes:
        known = self._digests.get(("application", name))
        if known is None:
            digest = self._put(bundle.compile_application(self._applications[name]))
            known = self._digests["application", name] = (digest,)
        return known[0]

    def _put(self, blob: bytes) -> bytes:
        digest = bytes.fromhex(bundle.digest(blob))
        self.blobs[digest] = blob
        return digest

    def add(self, policy: Policy) -> None:
        """Put a policy in its place; only its target's layer is compiled again."""
        self._policies.setdefault((policy.level, policy.target), []).append(policy)
        self._digests.pop((policy.level, policy.target), None)


def by_target(policies: Iterable[Policy]) -> dict[tuple[str, str], list[Policy]]:
    found: dict[tuple[str, str], list[Policy]] = {}
    for policy in policies:
        found.setdefault((policy.level, policy.target), []).append(policy)
    return found


def timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="compile more of the naive bundles before extrapolating")
    parser.add_argument("--quick", action="store_true", help="20 naive bundles, the rest extrapolated (the default)")
    sampled = 200 if parser.parse_args().full else 20
    goods = sets.market(RULES)
    policies = sets.policies(goods, POLICIES, organizations=ORGANIZATIONS, groups=GROUPS_EACH)
    applications = {application.id: application for application in goods.applications}
    groups = range(ORGANIZATIONS * GROUPS_EACH)

    naive = Naive(applications, policies)
    sample = groups[:: len(groups) // sampled]
    seconds, blobs = timed(lambda: [naive.blob(group) for group in sample])
    naive_seconds, naive_bytes = seconds / len(sample) * len(groups), sum(map(len, blobs)) / len(sample) * len(groups)

    layered = Layered(applications, policies)
    layered_seconds, manifests = timed(lambda: [layered.manifest(group) for group in groups])
    stored = sum(map(len, layered.blobs.values()))
    manifest_bytes = sum(map(len, manifests)) / len(manifests) + SIGNATURE_BYTES
    print(f"naive    {naive_seconds:8.2f} s CPU   {naive_bytes / 1e6:9.2f} MB ({sampled} of {len(groups):,} measured)")
    print(f"layered  {layered_seconds:8.2f} s CPU   {stored / 1e6:9.2f} MB in {len(layered.blobs):,} blobs", end="")
    print(f", manifests of {manifest_bytes:,.0f} bytes")

    before = set(layered.blobs)
    added = replace(policies[0], id="new", name="new", order=99_000)
    layered.add(added)
    added_seconds, _ = timed(lambda: [layered.manifest(group) for group in groups])
    new = [layered.blobs[digest] for digest in layered.blobs if digest not in before]
    shipped = (sum(map(len, new)) + manifest_bytes) * len(groups)
    print(f"one new global permit: {len(new)} new blob of {len(new[0]):,} bytes, {added_seconds:.2f} s CPU")

    largest = max(applications.values(), key=lambda application: len(application.rules))
    learned = replace(largest, rules=(*largest.rules, FileRule("learned", hash=sets.sha("learned"))))
    learned_seconds, blob = timed(lambda: bundle.compile_application(learned))
    print(
        f"one hash learned into {len(largest.rules):,} rules: {len(blob):,} bytes, {learned_seconds * 1e3:.1f} ms CPU"
    )
    print()
    print(ratio_line("naive / layered, CPU for 1,000 groups", naive_seconds / layered_seconds, "≥ 100"))
    print(ratio_line("naive / layered, bytes stored", naive_bytes / stored, "-"))
    print(ratio_line("naive / layered, CPU for one new global permit", naive_seconds / added_seconds, "-"))
    print(ratio_line("naive / layered, bytes shipped for one new global permit", naive_bytes / shipped, "≥ 1,000"))


if __name__ == "__main__":
    main()
