"""Numbers of policies: ranges with their reasons, slots, renumbering."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.engine import ordering
from policies.engine.ordering import NoGap, OutOfRange

customs = st.sets(st.integers(ordering.FIRST_CUSTOM, ordering.LAST_CUSTOM), max_size=60)
builtins = st.sets(st.integers(ordering.FIRST_BUILTIN, ordering.LAST_BUILTIN), max_size=60)


def in_range(order: int, *, builtin: bool) -> bool:
    first, last = (101, 100_000) if builtin else (100_001, 999_999)
    return first <= order <= last


@settings(deadline=None)
@given(st.one_of(customs, builtins), st.booleans())
def test_top_comes_before_all_and_bottom_after_all_of_its_range(taken: set[int], builtin: bool) -> None:
    own = [order for order in taken if in_range(order, builtin=builtin)]
    for slot, place in ((ordering.slot_top, min), (ordering.slot_bottom, max)):
        try:
            order = slot(taken, builtin=builtin)
        except NoGap:
            assert own and not in_range(place(own) + (-100 if place is min else 100), builtin=builtin)
            continue
        assert in_range(order, builtin=builtin)
        assert place([order, *own]) == order and order not in own
        assert not own or abs(order - place(own)) == 100


def test_the_first_policy_takes_the_first_number() -> None:
    assert ordering.slot_top([]) == ordering.slot_bottom([]) == 100_001
    assert ordering.slot_bottom([], builtin=True) == 101


def test_numbers_of_the_other_range_and_default_deny_are_not_looked_at() -> None:
    assert ordering.slot_bottom([150, 100_001, 1_000_000]) == 100_101
    assert ordering.slot_top([150, 300_000, 1_000_000]) == 299_900


def test_no_room_is_said_and_not_squeezed() -> None:
    with pytest.raises(NoGap):
        ordering.slot_top([100_001])
    with pytest.raises(NoGap):
        ordering.slot_top([100_100])
    with pytest.raises(NoGap):
        ordering.slot_bottom([999_950])


@settings(deadline=None)
@given(st.integers(100_001, 999_999), st.integers(100_001, 999_999))
def test_between_is_strictly_between_or_refused(one: int, other: int) -> None:
    above, below = min(one, other), max(one, other)
    if below - above >= 2:
        assert above < ordering.slot_between(above, below) < below
    else:
        with pytest.raises(NoGap if below > above else OutOfRange):
            ordering.slot_between(above, below)


def test_between_is_the_midpoint() -> None:
    assert ordering.slot_between(above=100_201, below=100_301) == 100_251


@pytest.mark.parametrize(("above", "below"), [(300, 100_301), (100_001, 1_000_000), (0, 200), (100_300, 100_200)])
def test_between_stays_in_one_range_and_order(above: int, below: int) -> None:
    with pytest.raises(OutOfRange):
        ordering.slot_between(above, below)


@settings(deadline=None)
@given(st.lists(st.integers(-10, 2_000_000), max_size=80), st.booleans(), st.data())
def test_renumbering_keeps_the_relative_order(orders: list[int], builtin: bool, data: st.DataObject) -> None:
    gap_at = data.draw(st.none() | st.integers(0, len(set(orders))))
    new = ordering.renumbered(orders, gap_at=gap_at, builtin=builtin)
    assert len(new) == len(orders)
    assert all(in_range(order, builtin=builtin) for order in new)
    for old_one, new_one in zip(orders, new, strict=True):
        for old_other, new_other in zip(orders, new, strict=True):
            assert (old_one < old_other) == (new_one < new_other)
    if gap_at is None:
        assert ordering.renumbered(new, builtin=builtin) == new
    else:
        slot = ordering.order_of_rank(gap_at, len(set(orders)) + 1, builtin=builtin)
        assert slot not in new
        assert sum(order < slot for order in set(new)) == gap_at


def test_renumbering_goes_in_hundreds_from_the_start() -> None:
    assert ordering.renumbered([999_999, 100_002, 100_001]) == [100_201, 100_101, 100_001]
    assert ordering.renumbered([100_001, 100_002], gap_at=0) == [100_101, 100_201]
    assert ordering.order_of_rank(0, 3) == 100_001


def test_steps_shrink_when_a_hundred_does_not_fit_and_end_at_one() -> None:
    orders = ordering.renumbered(range(5_000), builtin=True)
    assert sorted(set(orders)) == orders and orders[-1] <= 100_000
    assert ordering.renumbered(range(99_900), builtin=True)[-1] == 100_000
    with pytest.raises(OutOfRange):
        ordering.renumbered(range(99_901), builtin=True)


REASONS = [
    (100, True, "orders begin at 101"),
    (0, False, "no negative"),
    (-100, False, "no negative"),
    (1_000_000, False, "Default Deny"),
    (5_000_000, True, "Default Deny"),
    (100_001, True, "Prioritize Built-In Applications"),
    (100_000, False, "Prioritize Built-In Applications"),
]


@pytest.mark.parametrize(("order", "builtin", "reason"), REASONS)
def test_a_number_outside_is_refused_with_the_reason(order: int, builtin: bool, reason: str) -> None:
    with pytest.raises(OutOfRange, match=reason):
        ordering.check_order(order, builtin=builtin)


@pytest.mark.parametrize(("order", "builtin"), [(101, True), (100_000, True), (100_001, False), (999_999, False)])
def test_a_number_inside_is_taken(order: int, builtin: bool) -> None:
    ordering.check_order(order, builtin=builtin)
