"""The order of policies: the key they are evaluated by, the numbers they may have, and slots for new ones.

Lower wins. One flat list in three ranges: policies on built-in applications, policies on custom ones, Default Deny.
Nothing below 101 and no negative number exists.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from policies.engine.model import Policy

FIRST_BUILTIN = 101
LAST_BUILTIN = 100_000
FIRST_CUSTOM = 100_001
LAST_CUSTOM = 999_999
DEFAULT = 1_000_000
STEP = 100

_FIRST_BAND, _SECOND_BAND, _DEFAULT_BAND = range(3)
_RESTRICTIVENESS = {"deny": 0, "permit_ringfenced": 1, "permit": 2}
_NEARNESS = {"computer": 0, "group": 1, "organization": 2, "global": 3}

EvaluationKey = tuple[int, int, int, int, str]


class NoGap(Exception):
    """There is no free number at that place: renumber the list, leaving room, and take the slot from there."""


class OutOfRange(ValueError):
    """The number is outside the range of its policy; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers of one kind of policy, both ends included."""

    first: int
    last: int

    def __contains__(self, order: int) -> bool:
        return self.first <= order <= self.last


BUILTIN = Range(FIRST_BUILTIN, LAST_BUILTIN)
CUSTOM = Range(FIRST_CUSTOM, LAST_CUSTOM)


def range_of(*, builtin: bool) -> Range:
    """The range of policies on built-in, or on custom, applications."""
    return BUILTIN if builtin else CUSTOM


def evaluation_key(policy: Policy, prioritize_builtin: bool) -> EvaluationKey:
    """Sorts policies as a computer walks them: band, order, most restrictive, nearest scope, lower id."""
    return (
        _band(policy, prioritize_builtin),
        policy.order,
        _RESTRICTIVENESS.get(policy.action, 0),
        _NEARNESS.get(policy.level, 0),
        policy.id,
    )


def _band(policy: Policy, prioritize_builtin: bool) -> int:
    if policy.is_default:
        return _DEFAULT_BAND
    builtin = policy.order <= LAST_BUILTIN
    return _FIRST_BAND if builtin == prioritize_builtin else _SECOND_BAND


def check_order(order: int, *, builtin: bool) -> None:
    """Raise OutOfRange, with the reason, unless `order` is one a policy of that kind may have."""
    if order in range_of(builtin=builtin):
        return
    if order < FIRST_BUILTIN:
        raise OutOfRange(
            f"{order:,} is too low: orders begin at {FIRST_BUILTIN}, and there are no negative ones. "
            "A lower number does not exist to win with."
        )
    if order >= DEFAULT:
        raise OutOfRange(
            f"{order:,} is too high: {DEFAULT:,} is the group's Default Deny, which is always last and never moves."
        )
    kind, own = ("built-in", BUILTIN) if builtin else ("custom", CUSTOM)
    raise OutOfRange(
        f"A policy on {kind} applications has an order from {own.first:,} to {own.last:,}; {order:,} is outside. "
        "To put custom policies before built-in ones, change the agent setting Prioritize Built-In Applications."
    )


def slot_top(taken: Collection[int], *, builtin: bool = False) -> int:
    """100 below the lowest number taken. Raises NoGap when that leaves the range."""
    own = range_of(builtin=builtin)
    orders = [order for order in taken if order in own]
    if not orders:
        return own.first
    slot = min(orders) - STEP
    if slot not in own:
        raise NoGap(f"There is no room above {min(orders):,}.")
    return slot


def slot_bottom(taken: Collection[int], *, builtin: bool = False) -> int:
    """100 above the highest number taken. Raises NoGap when that leaves the range."""
    own = range_of(builtin=builtin)
    orders = [order for order in taken if order in own]
    if not orders:
        return own.first
    slot = max(orders) + STEP
    if slot not in own:
        raise NoGap(f"There is no room below {max(orders):,}.")
    return slot


def slot_between(above: int, below: int) -> int:
    """The midpoint of two numbers of one range, `above` the lower one. Raises NoGap when they touch, OutOfRange."""
    check_order(above, builtin=above in BUILTIN)
    check_order(below, builtin=above in BUILTIN)
    if below <= above:
        raise OutOfRange(f"{above:,} does not come before {below:,}.")
    if below - above < 2:
        raise NoGap(f"{above:,} and {below:,} touch.")
    return above + (below - above) // 2


def renumbered(orders: Sequence[int], *, gap_at: int | None = None, builtin: bool = False) -> list[int]:
    """New numbers for `orders`, place by place, 100 apart from the start of the range, in the same relative order.

    Equal numbers stay equal. With `gap_at` the slot of that rank (0 = before all) is left free for a new policy:
    `order_of_rank(gap_at, ...)` gives its number. Steps shrink when a hundred does not fit; raises OutOfRange when
    even steps of one do not.
    """
    distinct = sorted(set(orders))
    slots = len(distinct) + (gap_at is not None)
    numbers = {
        order: order_of_rank(rank + (gap_at is not None and rank >= gap_at), slots, builtin=builtin)
        for rank, order in enumerate(distinct)
    }
    return [numbers[order] for order in orders]


def order_of_rank(rank: int, slots: int, *, builtin: bool = False) -> int:
    """The number of the policy at `rank` (from 0) when `slots` policies are spread from the start of the range."""
    own = range_of(builtin=builtin)
    room = own.last - own.first + 1
    if slots > room:
        raise OutOfRange(f"{slots:,} policies do not fit into {room:,} numbers.")
    step = min(STEP, (room - 1) // max(1, slots - 1))
    return own.first + rank * step
