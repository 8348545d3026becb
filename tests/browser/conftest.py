"""Debian's Chromium in front of the whole running portal.

The browser is started and ended here, not by pytest-playwright: its event loop must not stay in the process, where
the tests after these need one of their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from portal.supervisor.browser import browser_path
from portal.supervisor.layout import CHECKOUT
from tests.running import RunningPortal

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
WATCH = """
addEventListener('securitypolicyviolation', e => console.error('CSP: ' + e.violatedDirective + ' ' + e.blockedURI));
addEventListener('click', e => {
  if (e.isTrusted) sessionStorage.setItem('clicks', Number(sessionStorage.getItem('clicks') || 0) + 1);
}, true);
"""


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = browser_path(os.environ)
    if path is None:
        message = "no Chromium: install it, or set CHROMIUM=/path/to/it"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@dataclass
class Desk:
    """One signed-in person's browser. `complaints`: script errors, refused sources (CSP), failed loads."""

    portal: RunningPortal
    page: Page
    complaints: list[str] = field(default_factory=list)

    def hear(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self.complaints.append(f"{self.page.url}: {line.text}")

    def go(self, path: str) -> Page:
        self.page.goto(self.portal.url + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def clicks(self) -> int:
        """Real clicks since `forget_clicks`."""
        return int(self.page.evaluate("Number(sessionStorage.getItem('clicks') || 0)"))

    def forget_clicks(self) -> None:
        self.page.evaluate("sessionStorage.setItem('clicks', 0)")

    def keep_picture(self, name: str) -> None:
        self.page.screenshot(path=pictures() / f"{name}.png")


def pictures() -> Path:
    """Where pictures of the screens are kept: in the data directory, which git ignores."""
    folder = Path(os.environ.get("DATA_DIR") or CHECKOUT / ".run") / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sign_in(page: Page, url: str, email: str, password: str) -> None:
    page.goto(f"{url}/sign-in/")
    page.get_by_label("E-mail").fill(email)
    field_ = page.get_by_label("Password")
    if not field_.is_visible():
        page.get_by_text("Use password").click()
    field_.fill(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/(all|o/[a-z-]+)/$"))


@pytest.fixture
def desk_of(chromium: Browser, running_portal: RunningPortal) -> Iterator[Callable[..., Desk]]:
    """`desk_of("technician", "able-moose")`: that person of the demo, signed in at a desk."""
    contexts: list[BrowserContext] = []

    def make(role: str, organization: str = "") -> Desk:
        context = chromium.new_context(viewport=DESK, locale="en-US")  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        desk = Desk(running_portal, page)
        page.on("pageerror", lambda error: desk.complaints.append(f"{page.url}: {error}"))
        page.on(
            "console", lambda line: desk.complaints.append(f"{page.url}: {line.text}") if line.type == "error" else None
        )
        person = running_portal.person(role, organization)
        sign_in(page, running_portal.url, person["email"], person["password"])
        return desk

    yield make
    for context in contexts:
        context.close()
