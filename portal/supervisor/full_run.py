"""Everything on one machine: servers, preparation, portal, agents; then watch until told to stop."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import time
from collections.abc import Mapping

from portal.supervisor import plan
from portal.supervisor.announcement import announcement
from portal.supervisor.children import Children
from portal.supervisor.computers import Agents
from portal.supervisor.console import Console
from portal.supervisor.demo_file import DemoFile, LiveComputer
from portal.supervisor.layout import CHECKOUT, Layout
from portal.supervisor.run_settings import RunSettings
from portal.supervisor.servers import start_servers
from portal.supervisor.service_run import governed

ROUND_SECONDS = 0.25


def run(layout: Layout, environment: Mapping[str, str], console: Console) -> int:
    """Bring everything up, say so, and watch it. 0 after Ctrl-C; raises StartRefused or ChildGaveUp."""
    settings = RunSettings.from_environment(environment)
    with governed(layout, console) as children:
        settings.check_ports()
        raise_file_limit()
        bring_up(children, layout, settings, environment)
        while not children.stopping.wait(ROUND_SECONDS):
            children.look_after()
        console.say("stopping")
    console.say("stopped")
    return 0


def bring_up(children: Children, layout: Layout, settings: RunSettings, environment: Mapping[str, str]) -> None:
    console = children.console
    demo = DemoFile.of(layout)
    demo.park()
    console.say("starting PostgreSQL and Valkey")
    passed = start_servers(children, layout, {**environment, **settings.variables(environment)})
    passed["PYTHONUNBUFFERED"] = "1"
    console.say("preparing the database (the first time this takes half a minute)")
    children.complete(plan.preparation(settings, passed))
    demo.park()
    console.say("starting the portal")
    children.start(*plan.portal_programs(settings, layout, passed))
    demo.publish(passed["PORTAL_URL"])
    guarded: list[LiveComputer] = []
    if settings.demo:
        console.say("starting the demo's computers")
        guarded = Agents(children, layout, settings.url, passed).start(demo.live_computers())
    first_run = "" if demo.people() else how_to_set_up(passed)
    seconds = time.monotonic() - console.started
    scripts = [computer.directory / "scripts" / "hello.sh" for computer in guarded]
    console.plain(announcement(passed["PORTAL_URL"], demo.people(), first_run, scripts, seconds))


def how_to_set_up(environment: Mapping[str, str]) -> str:
    """What a person does with a portal that has nobody yet; empty when it is set up already."""
    command = plan.manage("setup_token")
    told = subprocess.run(command, cwd=CHECKOUT, env=dict(environment), capture_output=True, text=True)
    return told.stdout if told.returncode == 0 else ""


def raise_file_limit() -> None:
    """One connection of one agent is one open file: allow as many as this system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS has a second limit, which it does not tell here
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
