"""How benchmarks here measure: contenders take turns, the median of the rounds counts, ratios say what it means.

Times are CPU time of the thread, so that a busy machine slows nobody's ratio; say so where a benchmark uses wall time.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Seconds of each call of one contender, from all rounds together, sorted."""

    seconds: tuple[float, ...]
    round_means: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The median of the rounds' means: one disturbed round does not count."""
        return statistics.median(self.round_means)

    def percentile(self, share: float) -> float:
        return self.seconds[min(len(self.seconds) - 1, int(len(self.seconds) * share))]


def interleaved(contenders: Mapping[str, Iterable[Callable[[], object]]], rounds: int = 3) -> dict[str, Sample]:
    """Run every contender's calls, taking turns for `rounds` rounds, garbage collection off meanwhile."""
    calls = {name: list(many) for name, many in contenders.items()}
    means: dict[str, list[float]] = {name: [] for name in calls}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, many in calls.items():
            taken = [cpu_seconds(call) for call in quietly(many)]
            seconds[name].extend(taken)
            means[name].append(statistics.fmean(taken))
    return {name: Sample(tuple(sorted(seconds[name])), tuple(means[name])) for name in calls}


def quietly(many: Sequence[Callable[[], object]]) -> Iterable[Callable[[], object]]:
    gc.collect()
    gc.disable()
    try:
        yield from many
    finally:
        gc.enable()


def cpu_seconds(call: Callable[[], object]) -> float:
    start = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start) / 1e9


def growth_exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The slope in log-log from the smallest to the largest size: 0 is flat, 1 is linear."""
    return math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0])


def ratio_line(what: str, value: float, goal: str, unit: str = "x") -> str:
    return f"ratio  {what:<62} {value:>12,.2f}{unit}   goal {goal}"
