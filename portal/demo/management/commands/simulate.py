"""`manage.py simulate`: runs the demo's pretend computers over the real protocol, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from agents.simulate.fleet import FleetRunner
from agents.simulate.running import until_stopped
from portal.demo import files, stand_ins

EVENTS_PER_MINUTE = 12.0


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--stand-ins", action="store_true", help="also stand in for the live Linux computers")
        parser.add_argument("--events-per-minute", type=float, default=EVENTS_PER_MINUTE)

    def handle(self, *args: Any, **options: Any) -> None:
        fleet = files.read_fleet()
        if options["stand_ins"]:
            stand_ins.add_to(fleet)
        runner = FleetRunner(
            settings.PORTAL_URL, fleet, files.fleet_path(), events_per_minute=options["events_per_minute"]
        )
        asyncio.run(until_stopped(runner))
