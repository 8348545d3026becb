"""Policies that never decide anything, because earlier ones decide all that they match. Proven, or not told."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from policies.engine.lint.cover import Cover
from policies.engine.lint.findings import Code, Found, Severity
from policies.engine.lint.policy_set import PolicySet, Target, always_counts, target_of
from policies.engine.model import Policy
from policies.engine.ordering import evaluation_key

_MOST_NAMED = 3
_Firsts = dict[Target, dict[str, tuple[int, Policy]]]


def shadowed(world: PolicySet, cover: Cover) -> Iterator[Found]:
    """A policy is shadowed when each rule of its applications is covered by a rule of an application that some
    earlier policy names which always counts and stands at a target around its own; at every order of bands that
    computers here may have."""
    orders = {first: _Order(world.policies, first) for first in sorted(world.builtin_first)}
    for policy in world.policies:
        if not world.counts(policy) or any(a in cover.unreadable for a in policy.applications):
            continue
        kinds = [kind for a in policy.applications for kind in cover.covering.get(a, ())]
        if not kinds:
            continue
        winners: dict[str, Policy] = {}
        for order in orders.values():
            before = [order.first_for(kind, policy, world.around(target_of(policy))) for kind in kinds]
            if any(one is None for one in before):
                break
            winners.update((one.id, one) for one in before if one is not None)
        else:
            yield _found(policy, sorted(winners.values(), key=lambda p: evaluation_key(p, True)))


class _Order:
    """Which policy that always counts comes first for each application at each target, at one order of the bands."""

    def __init__(self, policies: Iterable[Policy], builtin_first: bool) -> None:
        ranked = sorted(policies, key=lambda p: evaluation_key(p, builtin_first))
        self._rank = {policy.id: rank for rank, policy in enumerate(ranked)}
        self._firsts: _Firsts = defaultdict(dict)
        for rank, policy in enumerate(ranked):
            if always_counts(policy):
                firsts = self._firsts[target_of(policy)]
                for application in policy.applications:
                    firsts.setdefault(application, (rank, policy))

    def first_for(self, kind: frozenset[str], policy: Policy, around: frozenset[Target]) -> Policy | None:
        """The earliest policy before `policy` that names one of these applications."""
        best, found = self._rank[policy.id], None
        for target in around:
            firsts = self._firsts.get(target)
            if not firsts:
                continue
            for application in kind:
                one = firsts.get(application)
                if one is not None and one[0] < best:
                    best, found = one
        return found


def _found(policy: Policy, winners: list[Policy]) -> Found:
    names = ", ".join(f"{one.name} (#{one.order:,})" for one in winners[:_MOST_NAMED])
    if len(winners) > _MOST_NAMED:
        names += f" and {len(winners) - _MOST_NAMED} more"
    severity, message = _effect(policy, {one.action for one in winners}, names)
    return Found(
        Code.SHADOWED,
        severity,
        "policy",
        policy.id,
        message,
        others=tuple(one.id for one in winners),
        remedy="move_above" if len(winners) == 1 and winners[0].action != policy.action else "disable_policy",
        details={"winners": names, "orders": ", ".join(f"#{one.order:,}" for one in winners[:_MOST_NAMED])},
    )


def _effect(policy: Policy, actions: set[str], names: str) -> tuple[Severity, str]:
    if policy.action == "deny" and actions != {"deny"}:
        return "danger", f"This deny stops nothing: all that it names is decided before, by {names}."
    if policy.action == "permit_ringfenced" and "permit" in actions:
        return "danger", f"Its ringfence never holds: all that it names is decided before, by {names}."
    if "deny" in actions and policy.action != "deny":
        return "warn", f"It permits nothing: all that it names is decided before, by {names}."
    return "info", f"It changes nothing: all that it names is decided before, by {names}."
