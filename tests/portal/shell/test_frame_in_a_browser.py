"""The frame as people use it: with a keyboard, with a phone, in the dark, and without any script."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.portal.shell.conftest import PHONE

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.portal.shell.gallery_urls")]

Visit = Callable[[str], Page]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def serious(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found if v["impact"] in {"serious", "critical"}]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390, 320])
def test_every_component_is_accessible_and_fits(
    visit: Visit, page: Page, theme: Any, width: int, complaints: list[str]
) -> None:
    page.emulate_media(color_scheme=theme)
    for path in ("/gallery/", "/all/", "/gallery/?drawer=1"):
        visit(path)
        page.set_viewport_size({"width": width, "height": 6000})  # so high that no sticky bar covers anything
        assert serious(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert complaints == []


def test_the_palette_finds_an_organization_and_goes_there(visit: Visit) -> None:
    page = visit("/all/")
    page.keyboard.press("Control+k")
    page.keyboard.type("moose")
    expect(page.locator("#palette-hits")).to_contain_text("Able Moose Accounting")
    page.keyboard.press("Enter")
    page.wait_for_url("**/o/able-moose-accounting/")
    expect(page.locator("body.org-teal")).to_have_count(1)


def test_switching_the_organization_keeps_the_screen_and_its_filter(visit: Visit) -> None:
    page = visit("/o/able-moose-accounting/?q=x")
    page.keyboard.press("o")
    link = page.locator("#switcher-list a", has_text="Brisk Otter Dental")
    expect(link).to_have_attribute("href", "/o/brisk-otter-dental/?q=x")


def test_an_open_menu_closes_on_tab_and_on_escape(visit: Visit) -> None:
    page = visit("/gallery/")
    button, menu = page.locator("[popovertarget=row-menu-2]"), page.locator("#row-menu-2")
    for key in ("Tab", "Escape"):
        button.click()
        expect(menu).to_be_visible()
        page.keyboard.press("ArrowDown")
        expect(menu.locator(".menu-item").first).to_be_focused()
        page.keyboard.press(key)
        expect(menu).to_be_hidden()


def test_the_drawer_takes_the_focus_walks_and_gives_it_back(visit: Visit) -> None:
    page = visit("/gallery/")
    rows = page.locator("#rows tr a[hx-target='#drawer']")
    rows.nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-title")).to_be_focused()
    expect(page.locator("#drawer-title")).to_have_text("row 0")
    expect(page).to_have_url(re.compile(r"/gallery/0/$"))
    page.keyboard.press("j")
    expect(page.locator("#drawer-title")).to_have_text("row 4")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    expect(rows.nth(2)).to_be_focused()
    expect(page).to_have_url(re.compile(r"/gallery/$"))


def test_a_list_beneath_a_full_width_drawer_cannot_be_reached(visit: Visit, page: Page) -> None:
    visit("/gallery/?drawer=1")
    assert page.locator("main > form").first.get_attribute("inert") is None
    page.set_viewport_size(PHONE)
    assert page.locator("main > form").first.get_attribute("inert") is not None


def test_shift_ticks_a_range_and_escape_clears_it(visit: Visit) -> None:
    page = visit("/gallery/")
    boxes = page.locator("[data-tick]")
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(page.locator("[data-bulk-count]")).to_have_text("4")
    page.keyboard.press("Escape")
    expect(page.locator("[data-bulk-bar]")).to_be_hidden()


def test_a_wide_change_waits_for_the_typed_number(visit: Visit) -> None:
    page = visit("/gallery/")
    page.locator("[data-opens=confirm-archive]").click()
    verb = page.locator("#confirm-archive button[type=submit]")
    expect(verb).to_be_disabled()
    page.locator("#confirm-archive-typed").fill("1285")
    expect(verb).to_be_disabled()
    page.locator("#confirm-archive-typed").fill("1284")
    expect(verb).to_be_enabled()


def test_single_keys_are_dead_in_fields_and_can_be_switched_off(visit: Visit) -> None:
    page = visit("/gallery/")
    theme = "document.documentElement.dataset.theme || 'system'"
    page.locator("[data-filter]").focus()
    page.keyboard.press("t")
    assert page.evaluate(theme) == "system"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.locator("#keys-on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    assert page.evaluate(theme) == "system"


def test_the_chosen_theme_is_there_before_the_first_paint(visit: Visit) -> None:
    page = visit("/all/")
    page.keyboard.press("t")
    chosen = page.evaluate("document.documentElement.dataset.theme")
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => { window.first = document.documentElement.dataset.theme })"
    )
    page.reload()
    assert page.evaluate("window.first") == chosen


def test_without_scripts_the_frame_still_works(visit: Visit, browser: Browser, page: Page) -> None:
    visit("/all/")
    plain = browser.new_context(java_script_enabled=False, viewport=PHONE, storage_state=page.context.storage_state())
    bare = plain.new_page()
    bare.goto(page.url)
    bare.locator("[popovertarget=rail]").click()
    bare.locator("#rail a", has_text="Dashboard").click()
    expect(bare.locator("h1")).to_have_text("Dashboard")
    bare.goto(page.url.replace("/all/", "/palette/?q=moose"))
    expect(bare.locator("main")).to_contain_text("Able Moose Accounting")
    plain.close()
