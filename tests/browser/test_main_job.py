"""The story of the product, by hand in a browser, on a real computer: denied, permitted, deployed, it runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desk
from tests.journeys.conftest import Scripts, event_of, script, technician  # noqa: F401 (fixtures)
from tests.journeys.test_real_agent import runs_bundle
from tests.running import ApiClient, RunningPortal, runs, until

pytestmark = [pytest.mark.browser, pytest.mark.kernel]
DeskOf = Callable[..., Desk]


@pytest.fixture
def desk(desk_of: DeskOf) -> Desk:
    return desk_of("technician", "able-moose")


def denied(script: Scripts, technician: ApiClient, name: str) -> Path:  # noqa: F811
    """A script that was just stopped on fin-01, and whose denial has arrived."""
    job = script("fin-01", name)
    assert not runs(job)
    event_of(technician, job, effect="denied")
    return job


def open_drawer(desk: Desk, job: Path) -> Page:
    page = desk.go(f"/o/able-moose/audit/?q=path:{job.name}")
    desk.forget_clicks()
    page.locator("#rows a", has_text=job.name).first.click()
    expect(page.locator("#drawer")).to_contain_text("Denied because no policy permits it")
    return page


def expect_live(page: Page, running_portal: RunningPortal) -> None:
    """The page says Live, with the hash that the computer itself has."""
    page.wait_for_url(re.compile(r"/deployments/[0-9a-f-]{36}/$"))
    expect(page.locator("main")).to_contain_text("1 of 1 live", timeout=15_000)
    shown = page.locator("tr", has_text="fin-01").inner_text()
    until(lambda: runs_bundle(running_portal, "fin-01")[1][:8] in shown, 10, "the page names the agent's own bundle")


def everything_shown(page: Page) -> None:
    """The deployment is over, and all of its computers are on the page, not the first fifty only."""
    expect(page.locator("main")).to_contain_text(re.compile(r"\b(\d+) of \1 live"), timeout=30_000)
    more = page.get_by_role("link", name="Load more")
    while more.count():
        rows = page.locator("#rows tr")
        before = rows.count()
        more.click()
        expect(rows).not_to_have_count(before)


def test_from_the_row_to_the_running_script_in_three_clicks(
    running_portal: RunningPortal,
    desk: Desk,
    script: Scripts,  # noqa: F811
    technician: ApiClient,  # noqa: F811
    record_property: Callable[[str, object], None],
) -> None:
    job = denied(script, technician, "invoice-run")
    page = open_drawer(desk, job)
    desk.keep_picture("main-job-1-drawer")
    page.locator("#drawer").get_by_text("Permit Application").first.click()
    press = page.get_by_role("button", name="Permit on fin-01")
    expect(press).to_be_enabled()
    desk.keep_picture("main-job-2-permit")
    press.click()
    pressed = time.monotonic()
    until(lambda: runs(job), 10, "the script runs", pause_seconds=0.02)
    took = time.monotonic() - pressed
    record_property("seconds_from_click_to_running", round(took, 2))
    print(f"\nfrom the click on Permit to the running script: {took:.2f} s")
    expect_live(page, running_portal)
    assert desk.clicks() <= 3
    desk.keep_picture("main-job-3-live")
    assert desk.complaints == []


def test_saved_first_and_sent_by_deploy_policies(
    running_portal: RunningPortal,
    desk: Desk,
    script: Scripts,  # noqa: F811
    technician: ApiClient,  # noqa: F811
) -> None:
    job = denied(script, technician, "backup-run")
    page = open_drawer(desk, job)
    page.locator("#drawer").get_by_text("Permit Application").first.click()
    page.get_by_text("Not yet", exact=True).click()
    page.get_by_role("button", name=re.compile("fin-01")).click()
    bar = page.locator("#pending-bar")
    expect(bar).to_contain_text("Deploy Policies")
    assert not runs(job), "what is saved and not deployed changes nothing on the computer"
    desk.keep_picture("main-job-4-pending")
    bar.get_by_text("Deploy Policies").click()
    page.wait_for_url(re.compile(r"/deployments/[0-9a-f-]{36}/$"))
    everything_shown(page)
    row = page.locator("tr", has_text="fin-01")
    expect(row).to_contain_text("Live", timeout=30_000)
    shown = row.inner_text()
    until(lambda: runs_bundle(running_portal, "fin-01")[1][:8] in shown, 10, "the page names the agent's own bundle")
    desk.keep_picture("main-job-5-deployed")
    until(lambda: runs(job), 15, "the script runs")
    assert desk.complaints == []
