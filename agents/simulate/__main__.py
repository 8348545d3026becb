"""`python -m agents.simulate --fleet FILE --portal URL`: a fleet of pretend computers, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from agents.simulate import fleet_file
from agents.simulate.fleet import FleetRunner
from agents.simulate.running import until_stopped


def main() -> int:
    parser = argparse.ArgumentParser(prog="agents.simulate", description=__doc__)
    parser.add_argument("--fleet", type=Path, required=True, help="the fleet's file; keys and states are kept in it")
    parser.add_argument("--portal", required=True, help="the portal's address, http://host:port")
    parser.add_argument("--events-per-minute", type=float, default=12.0, help="of the whole fleet; 0 = nobody works")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    fleet = fleet_file.load(chosen.fleet)
    if not fleet.members:
        print(f"{chosen.fleet} names no computer", file=sys.stderr)
        return 2
    runner = FleetRunner(
        chosen.portal, fleet, chosen.fleet, events_per_minute=chosen.events_per_minute, seed=chosen.seed
    )
    asyncio.run(until_stopped(runner))
    return 0


if __name__ == "__main__":
    sys.exit(main())
