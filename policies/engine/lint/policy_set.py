"""What lint looks at: policies and applications of one operating system, and how targets lie in each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from policies.engine.model import Application, Policy

Target = tuple[str, str]  # level, id

DAY_MS = 86_400_000
UNUSED_AFTER_MS = 42 * DAY_MS
EXPIRING_WITHIN_MS = 14 * DAY_MS


@dataclass(frozen=True, slots=True)
class Usage:
    """Since when a policy exists and when it last decided, in unix milliseconds; None: never."""

    created_ms: int
    last_matched_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PolicySet:
    """One operating system's policies and applications, as they are at `at_ms`.

    `surrounding`: for a target, every target that holds all of its computers, itself included; a target that is not
    there is surrounded by itself alone. `builtin_first`: the values of Prioritize Built-In Applications that computers
    here may have. `usage` by policy id. `hashes_per_path`: by application, the most hashes that history saw at one
    path of its files.
    """

    applications: tuple[Application, ...]
    policies: tuple[Policy, ...]
    os: str
    at_ms: int
    surrounding: Mapping[Target, frozenset[Target]] = field(default_factory=dict)
    builtin_first: frozenset[bool] = frozenset((True,))
    usage: Mapping[str, Usage] = field(default_factory=dict)
    hashes_per_path: Mapping[str, int] = field(default_factory=dict)

    def around(self, target: Target) -> frozenset[Target]:
        return self.surrounding.get(target) or frozenset((target,))

    def meeting(self) -> set[tuple[Target, Target]]:
        """The pairs of different targets under both of which some computer may stand, in both orders."""
        return {pair for around in self.surrounding.values() for pair in permutations(around, 2)}

    def is_over(self, policy: Policy) -> bool:
        return policy.expires_at is not None and policy.expires_at <= self.at_ms

    def counts(self, policy: Policy) -> bool:
        """Whether it decides anything today or later."""
        return policy.enabled and not policy.is_default and not self.is_over(policy)


def target_of(policy: Policy) -> Target:
    return policy.level, policy.target


def always_counts(policy: Policy) -> bool:
    """Whether it decides at every instant and for every user: only such a policy can shadow another."""
    dated = policy.starts_at is not None or policy.expires_at is not None
    return policy.enabled and not policy.is_default and not (dated or policy.schedule or policy.users)


def permitting(policies: Iterable[Policy]) -> frozenset[str]:
    """The applications that some enabled policy permits."""
    return frozenset(a for p in policies if p.enabled and p.action != "deny" for a in p.applications)
