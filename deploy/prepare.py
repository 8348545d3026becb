"""Brings database and served files to what this version needs, in one process; safe to repeat.

    python -m deploy.prepare [--demo]

Makes missing signing keys, runs the migrations as the owner of the tables, loads the built-in applications,
collects the served files, and with `--demo` makes the demo MSP where the database is empty.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

# The browsable API is not served; neither are its files.
NOT_SERVED = ["rest_framework"]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", action="store_true", help="make the demo MSP where the database is empty")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    step("signing keys", "make_keys")
    step("migrations", "migrate", database="owner", interactive=False, verbosity=1)
    step("built-in applications", "load_catalogue")
    collect_served_files()
    if chosen.demo:
        step("demo", "demo")


def step(title: str, command: str, **options: object) -> None:
    started = time.monotonic()
    call_command(command, **options)
    print(f"{title}: {time.monotonic() - started:.1f} s", flush=True)


def collect_served_files() -> None:
    """Hashed and compressed copies under STATIC_ROOT; skipped while no source of them has changed."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    sources = fingerprint_of_sources()
    if stamp.exists() and stamp.read_text() == sources:
        return
    step(
        "served files",
        "collectstatic",
        interactive=False,
        clear=True,
        verbosity=0,
        ignore_patterns=NOT_SERVED,
    )
    stamp.write_text(sources)


def fingerprint_of_sources() -> str:
    found = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(NOT_SERVED):
            status = Path(storage.path(name)).stat()
            found.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return found.hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
