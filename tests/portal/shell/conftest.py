"""A real browser in front of the portal: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, ViewportSize

from portal.accounts.models import Role, User
from portal.supervisor.browser import browser_path
from portal.tenants.scoping import reaching
from tests import factories

DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = browser_path(os.environ)
    if path is None:
        message = "no Chromium: install it, or set CHROMIUM=/path/to/it"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright keeps a loop in the thread that also asks the database
    return {**browser_type_launch_args, "executable_path": path}


@pytest.fixture
def tom(committed: None) -> User:
    """An owner of an MSP with two customers."""
    with reaching(factories.SYSTEM):
        northwind = factories.organization("Northwind IT")
        factories.organization("Able Moose Accounting", northwind)
        factories.organization("Brisk Otter Dental", northwind, color="plum")
        return factories.person("Tom Berg", Role.OWNER, northwind, may_act_globally=True)


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about: script errors, refused sources (CSP), failed loads."""
    return []


@pytest.fixture
def visit(live_server: Any, page: Page, tom: User, complaints: list[str]) -> Iterator[Callable[[str], Page]]:
    """`visit("/all/")`: the page of that address, in Tom's signed-in browser."""
    client = Client()
    client.force_login(tom)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    page.set_viewport_size(DESK)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)

    def go(path: str) -> Page:
        page.goto(live_server.url + path)
        page.wait_for_load_state("networkidle")
        return page

    yield go
    page.goto("about:blank")  # no poll may arrive while the tables are emptied
