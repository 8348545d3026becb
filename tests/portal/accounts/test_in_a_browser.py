"""Passkeys from end to end with Chromium's virtual authenticator, and every screen of these apps through axe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Page, expect

from portal.accounts.models import User
from portal.tenants.scoping import reaching
from tests import factories
from tests.portal.shell.test_frame_in_a_browser import serious

pytestmark = pytest.mark.browser

Visit = Callable[[str], Page]


def with_authenticator(page: Page) -> None:
    """Give the browser a built-in authenticator that always recognizes its person."""
    link = page.context.new_cdp_session(page)
    link.send("WebAuthn.enable")
    link.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def sign_in_with_password(page: Page, home: str, person: User) -> None:
    page.goto(f"{home}/sign-in/")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_text("Use password").click()
    page.get_by_label("Password").fill(factories.PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.fixture
def home(live_server: Any, page: Page, tom: User, complaints: list[str]) -> Any:
    cache.clear()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield live_server.url.replace("127.0.0.1", "localhost")
    page.goto("about:blank")


def test_a_passkey_is_added_and_signs_in_alone(home: str, page: Page, tom: User, complaints: list[str]) -> None:
    with_authenticator(page)
    sign_in_with_password(page, home, tom)
    page.goto(f"{home}/account/second-factor/passkeys/add/")
    page.get_by_label("Name").fill("work laptop")
    page.get_by_role("button", name="Add this passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.goto(f"{home}/account/")
    expect(page.locator("main")).to_contain_text("work laptop")
    page.goto("about:blank")  # a page that is left alone asks for news, and would be told to sign in
    page.context.clear_cookies()
    page.goto(f"{home}/sign-in/")
    page.get_by_role("button", name="Continue with passkey").click()
    page.wait_for_url(f"{home}/all/")
    page.goto("about:blank")
    page.context.clear_cookies()
    sign_in_with_password(page, home, tom)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"{home}/all/")
    assert complaints == []


def test_without_a_passkey_the_page_says_so_and_the_password_still_works(home: str, page: Page, tom: User) -> None:
    with_authenticator(page)
    page.goto(f"{home}/sign-in/")
    page.get_by_role("button", name="Continue with passkey").click()
    expect(page.locator("[data-passkey-said]")).to_contain_text("No passkey was used")
    sign_in_with_password(page, home, tom)
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_every_screen_is_accessible_and_fits(
    visit: Visit, page: Page, tom: User, theme: Any, width: int, complaints: list[str]
) -> None:
    with reaching(factories.SYSTEM):
        organization = tom.memberships.get().organization
        group = factories.group(organization, "Finance")
        computer = factories.computer(group, "FIN-LT-07")
    own = f"/o/{organization.slug}"
    page.emulate_media(color_scheme=theme)
    for path in (
        "/account/", "/account/second-factor/", "/account/second-factor/app/", "/all/settings/people/",
        f"/all/settings/people/{tom.id}/", "/all/settings/people/invite/", "/all/settings/tokens/new/",
        "/all/organizations/", "/all/organizations/new/", "/all/computers/", f"{own}/groups/",
        f"{own}/groups/{group.id}/", f"{own}/computers/{computer.id}/", "/all/journal/", "/api/v1/docs/",
    ):  # fmt: skip
        visit(path)
        page.set_viewport_size({"width": width, "height": 3600})
        assert serious(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_sign_in_screen_is_accessible_and_fits(home: str, page: Page, theme: Any, complaints: list[str]) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/sign-in/", "/sign-in/lost/"):
        page.goto(home + path)
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"{home}/sign-in/")
    page.get_by_text("Use password").click()
    assert serious(page) == []
    assert complaints == []
