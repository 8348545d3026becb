"""The ordered list by hand: the handle, the keys, the number, Undo."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, Desk
from tests.running import RunningPortal

pytestmark = pytest.mark.browser
LIST = "/o/able-moose/policies/?include_disabled=true"
ROWS = '#rows tr[data-policy][data-kind="custom"]'


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of("technician", "able-moose")


def names(page: Page) -> list[str]:
    return page.locator(f"{ROWS} [data-edits]").all_inner_texts()


def in_the_middle(page: Page, number: int) -> None:
    """Where no bar lies over it."""
    page.locator(ROWS).nth(number).evaluate("row => row.scrollIntoView({ block: 'center' })")


def expect_order(page: Page, *wanted: str) -> None:
    expect(page.locator(f"{ROWS} [data-edits]").nth(2)).to_have_text(wanted[0], timeout=15_000)
    expect(page.locator(f"{ROWS} [data-edits]").nth(3)).to_have_text(wanted[1], timeout=15_000)


def test_a_row_is_dragged_above_another_and_the_key_u_takes_it_back(desk: Desk) -> None:
    page = desk.go(LIST)
    third, fourth = names(page)[2:4]
    in_the_middle(page, 3)
    handle, target = (
        page.locator(f"{ROWS} [data-handle]").nth(3).bounding_box(),
        page.locator(ROWS).nth(2).bounding_box(),
    )
    assert handle and target
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(handle["x"] + 8, target["y"] + 4, steps=6)
    desk.keep_picture("policies-dragging")
    page.mouse.up()
    expect_order(page, fourth, third)
    expect(page.locator("#toasts")).to_contain_text(f"{fourth} moved from")
    page.keyboard.press("u")
    expect_order(page, third, fourth)
    assert desk.complaints == []


def test_escape_leaves_a_dragged_row_where_it_was(desk: Desk) -> None:
    page = desk.go(LIST)
    before = names(page)
    in_the_middle(page, 3)
    handle = page.locator(f"{ROWS} [data-handle]").nth(3).bounding_box()
    assert handle
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(handle["x"] + 8, handle["y"] - 40, steps=4)
    expect(page.locator("tr.dragging")).to_have_count(1)
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator("tr.dragging")).to_have_count(0)
    page.reload()
    assert names(page) == before


def test_the_keys_move_the_current_row_and_keep_the_focus_on_it(desk: Desk) -> None:
    page = desk.go(LIST)
    third, fourth = names(page)[2:4]
    page.locator(f"{ROWS} [data-edits]").nth(2).focus()
    page.keyboard.press("J")
    expect_order(page, fourth, third)
    expect(page.locator(f"{ROWS} [data-edits]").nth(3)).to_be_focused()
    page.keyboard.press("K")
    expect_order(page, third, fourth)
    expect(page.locator(f"{ROWS} [data-edits]").nth(2)).to_be_focused()
    dialog = page.locator("#dialog[open]")
    top = page.locator(f"{ROWS} [data-edits]").first
    page.keyboard.press("T")
    expect(dialog.or_(top.filter(has_text=third))).to_be_visible()
    if not dialog.count():  # a number was free above all: for the next one there is none
        page.locator(f"{ROWS} [data-edits]").nth(2).focus()
        third = names(page)[2]
        page.keyboard.press("T")
    expect(dialog).to_contain_text("No number is free there")
    desk.keep_picture("policies-renumbering")
    page.keyboard.press("Escape")
    assert names(page)[2] == third
    assert desk.complaints == []


def test_the_number_is_typed_over_and_a_wrong_one_is_refused_with_the_reason(desk: Desk) -> None:
    page = desk.go(LIST)
    number = page.locator(f"{ROWS} [data-order-number]").nth(2)
    was = number.inner_text()
    number.click()
    page.keyboard.type("50")
    page.keyboard.press("Enter")
    expect(page.locator("#policy-table [role=alert]")).to_contain_text("is too low")
    expect(page.locator(f"{ROWS} [data-order-number]").nth(2)).to_have_text(was)


def test_a_filter_stops_dragging_and_says_why(desk: Desk) -> None:
    page = desk.go("/o/able-moose/policies/?q=grp-finance")
    handle = page.locator(f"{ROWS} [data-handle]").first.bounding_box()
    assert handle
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("#toasts")).to_contain_text("A filter hides policies between these")


def test_on_a_phone_the_menu_moves_a_policy(desk: Desk, running_portal: RunningPortal) -> None:
    page = desk.go(LIST)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    third, fourth = names(page)[2:4]
    page.locator(f"{ROWS} [data-row-menu]").nth(2).click()
    page.locator("#row-menu").get_by_text("Move down").click()
    expect_order(page, fourth, third)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect_order(page, third, fourth)
