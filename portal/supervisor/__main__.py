"""`python -m portal.supervisor`: run everything, or only the servers for a command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from portal.supervisor.browser import ensure_browser
from portal.supervisor.console import Console
from portal.supervisor.database_roles import prepare_database
from portal.supervisor.errors import StartRefused, Stopped
from portal.supervisor.full_run import run
from portal.supervisor.layout import Layout
from portal.supervisor.service_run import keep_servers, run_with_servers


def main(arguments: Sequence[str]) -> int:
    chosen = parser().parse_args(arguments)
    console = Console(verbose=bool(os.environ.get("VERBOSE")))
    try:
        return int(chosen.action(chosen, console))
    except StartRefused as refusal:
        console.plain(f"\nPortcullis: {refusal}")
        return 1
    except Stopped:
        console.say("stopped")
        return 130


def parser() -> argparse.ArgumentParser:
    outer = argparse.ArgumentParser(prog="python -m portal.supervisor", description=__doc__)
    actions = outer.add_subparsers(required=True)
    everything = actions.add_parser("run", help="everything, with the demo unless DEMO=0")
    everything.set_defaults(action=run_action)
    database = actions.add_parser("database", help="make roles and database with DATABASE_ADMIN_URL")
    database.set_defaults(action=database_action)
    browser = actions.add_parser("browser", help="find or install the Chromium of the browser tests")
    browser.set_defaults(action=browser_action)
    services = actions.add_parser("services", help="PostgreSQL and Valkey around a command, or kept with --keep")
    services.add_argument("--data-dir", type=Path, help="default: $DATA_DIR/test")
    services.add_argument("--durable", action="store_true", help="settings as in production (fsync on)")
    services.add_argument("--keep", action="store_true", help="until Ctrl-C; writes env.sh to source")
    services.add_argument("command", nargs="*", help="after --")
    services.set_defaults(action=services_action)
    return outer


def run_action(_: argparse.Namespace, console: Console) -> int:
    return run(Layout.from_environment(os.environ), os.environ, console)


def database_action(_: argparse.Namespace, console: Console) -> int:
    addresses = [os.environ.get(name, "") for name in ("DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "DATABASE_URL")]
    if not all(addresses):
        raise StartRefused("DATABASE_ADMIN_URL, DATABASE_OWNER_URL and DATABASE_URL must all be set.")
    prepare_database(*addresses)
    console.say("roles, database and extensions are there")
    return 0


def browser_action(_: argparse.Namespace, console: Console) -> int:
    ensure_browser(os.environ, console)
    return 0


def services_action(chosen: argparse.Namespace, console: Console) -> int:
    layout = (
        Layout.at(chosen.data_dir) if chosen.data_dir else Layout.at(Layout.from_environment(os.environ).data / "test")
    )
    if chosen.keep:
        return keep_servers(layout, os.environ, durable=chosen.durable, console=console)
    if not chosen.command:
        raise StartRefused("services needs a command after `--`, or --keep.")
    return run_with_servers(layout, os.environ, chosen.command, durable=chosen.durable, console=console)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
