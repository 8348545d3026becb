"""Every main screen with the demo's data: accessible in both themes, no sideways scroll on a phone, no complaint."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import DESK, PHONE, Desk
from tests.portal.shell.test_frame_in_a_browser import WCAG
from tests.running import RunningPortal

pytestmark = pytest.mark.browser
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
O = "/o/able-moose"  # noqa: E741


def screens(portal: RunningPortal) -> dict[str, str]:
    """Name of the picture → address, filled with objects of the demo."""
    api = portal.api("owner")
    computer = next(row for row in api.get("computers/?page_size=200")["results"] if row["name"] == "able-cad-01")
    policy = api.get("policies/?scope=group&page_size=1")["results"][0]
    application = next(a for a in api.everything("applications/?page_size=200") if a["name"] == "Acme Ledger")
    deployment = api.get("deployments/?page_size=1")["results"][0]
    denied = api.get("events/?from=30d&effect=denied&organization=able-moose&page_size=500")["results"]
    event = next(row for row in denied if row["computer_name"])  # journeys leave events of computers that are gone
    request = api.get("approval-requests/?page_size=1")["results"][0]
    return {
        "dashboard": f"{O}/", "audit": f"{O}/audit/", "event": f"{O}/audit/{event['id']}/",
        "permit": f"{O}/audit/{event['id']}/permit/", "approvals": f"{O}/approvals/",
        "approval": f"{O}/approvals/{request['id']}/", "computers": f"{O}/computers/",
        "computer": f"{O}/computers/{computer['id']}/", "groups": f"{O}/groups/", "group": f"{O}/groups/finance/",
        "applications": f"{O}/applications/", "application": f"{O}/applications/{application['id']}/",
        "policies": f"{O}/policies/", "policy-new": f"{O}/policies/new/",
        "policy": f"/o/able-moose/policies/{policy['id']}/edit/", "pending": f"{O}/pending/",
        "deployments": f"{O}/deployments/", "deployment": f"/all/deployments/{deployment['id']}/",
        "journal": f"{O}/journal/", "settings": f"{O}/settings/", "people": f"{O}/settings/people/",
        "tokens": f"{O}/settings/tokens/",
        "lint": f"{O}/lint/", "catalogue": "/all/catalogue/",
        "evaluate": f"{O}/evaluate/?event={event['id']}&who=1",
        "agent-settings": f"{O}/settings/agent/?where=able-cad-01", "agent-setting": f"{O}/settings/agent/new/",
        "all": "/all/", "organizations": "/all/organizations/",
        "all-audit": "/all/audit/", "all-policies": "/all/policies/", "account": "/account/", "help": "/help/",
    }  # fmt: skip


def serious(page: Page) -> list[str]:
    """What axe finds that is serious or critical. It is put into the page once, and asked in each theme and width."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    asked = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]}
    found = page.evaluate("asked => axe.run(document, asked).then(r => r.violations)", asked)
    return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found if v["impact"] in {"serious", "critical"}]


def faults_at(page: Page, size: dict[str, int], theme: str) -> list[str]:
    width = size["width"]
    # Tall enough for everything: what the bars at the foot half cover for now is not too small a target.
    page.set_viewport_size({"width": width, "height": 4_000})
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    found = [f"{theme} {width}: {violation}" for violation in serious(page)]
    page.set_viewport_size(size)  # type: ignore[arg-type]
    wide = page.evaluate("document.documentElement.scrollWidth")
    return found + ([f"{theme} {width}: scrolls sideways to {wide}"] if wide > width else [])


def test_every_main_screen(desk_of: Callable[..., Desk], running_portal: RunningPortal) -> None:
    """One visit a screen: theme and width change while it is open, as they do on a person's desk."""
    desk = desk_of("owner")
    faults = []
    for name, path in screens(running_portal).items():
        page = desk.go(path)
        if page.locator("h1").count() == 0:
            faults.append(f"{name}: no heading on {path}")
        for theme in ("light", "dark"):
            for size in (DESK, PHONE):
                faults += [f"{name} {fault}" for fault in faults_at(page, size, theme)]
                desk.keep_picture(f"{name}-{theme}-{size['width']}")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
    assert not faults, "\n".join(faults)
    assert not desk.complaints, "\n".join(desk.complaints)
