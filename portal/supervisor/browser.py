"""The browser of the browser tests: found, installed where root may, or loudly missed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping

from portal.supervisor.console import Console

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser_path(environment: Mapping[str, str]) -> str | None:
    """$CHROMIUM, else the first Chromium on the search path."""
    if chosen := environment.get("CHROMIUM"):
        return shutil.which(chosen)
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def ensure_browser(environment: Mapping[str, str], console: Console) -> str | None:
    """As root on Debian install Chromium when there is none; its path, or None after saying so."""
    found = browser_path(environment)
    if found is None and not environment.get("CHROMIUM") and os.geteuid() == 0 and shutil.which("apt-get"):
        console.say("no Chromium here: installing Debian's for the browser tests")
        _install()
        found = browser_path(environment)
    if found is None:
        fate = "will fail (CI is set)" if environment.get("CI") else "will be skipped"
        console.say(f"NO CHROMIUM: the browser tests {fate}. Install chromium or set CHROMIUM=/path/to/it.")
    return found


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ("apt-get", "update", "--quiet", "--quiet"),
        ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium"),
    ):
        if subprocess.run(command, env=environment, stdout=sys.stderr).returncode:
            return  # what is missing afterwards is said by the caller
