"""Keyset pages: every row exactly once, forward and back, whatever is added meanwhile."""

from __future__ import annotations

import pytest

from portal.common.errors import Invalid
from portal.common.paging import keyset
from portal.tenants.models import ComputerGroup, Organization
from tests import factories

ORDER = ("name", "id")


@pytest.fixture
def groups(able_moose: Organization) -> list[ComputerGroup]:
    return [factories.group(able_moose, f"Group {number:02d}") for number in range(7)]


def names(rows: object) -> list[str]:
    return [row.name for row in rows]  # type: ignore[attr-defined]


def query() -> object:
    return ComputerGroup.objects.within(factories.SYSTEM)


def test_pages_hold_every_row_once(groups: list[ComputerGroup]) -> None:
    seen, after = [], ""
    for _ in range(4):
        page = keyset(query(), order=ORDER, after=after, size=2)
        seen += names(page.rows)
        after = page.next
    assert seen == names(groups)
    assert after == ""


def test_the_way_back_shows_the_same_rows(groups: list[ComputerGroup]) -> None:
    first = keyset(query(), order=ORDER, size=3)
    second = keyset(query(), order=ORDER, after=first.next, size=3)
    back = keyset(query(), order=ORDER, after=second.previous, size=3)
    assert names(back.rows) == names(first.rows)
    assert back.previous == ""
    assert back.next != ""


def test_newest_first_works_the_same(groups: list[ComputerGroup]) -> None:
    first = keyset(query(), order=("-name", "-id"), size=5)
    second = keyset(query(), order=("-name", "-id"), after=first.next, size=5)
    assert names(first.rows) + names(second.rows) == names(reversed(groups))


def test_a_row_added_in_front_moves_nothing(groups: list[ComputerGroup], able_moose: Organization) -> None:
    first = keyset(query(), order=ORDER, size=3)
    factories.group(able_moose, "Aaa")
    assert names(keyset(query(), order=ORDER, after=first.next, size=3).rows) == names(groups[3:6])


@pytest.mark.parametrize("cursor", ["x", "abc.def", "W10.0000000000000000"])
def test_a_cursor_that_is_not_ours_is_refused(groups: list[ComputerGroup], cursor: str) -> None:
    with pytest.raises(Invalid):
        keyset(query(), order=ORDER, after=cursor)


def test_a_cursor_of_another_list_is_refused(groups: list[ComputerGroup]) -> None:
    other = keyset(query(), order=("name", "slug", "id"), size=2)
    with pytest.raises(Invalid):
        keyset(query(), order=ORDER, after=other.next)
