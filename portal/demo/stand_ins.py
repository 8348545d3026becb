"""Where the kernel allows no real agent: pretend Linux computers in place of the live ones, which say so themselves."""

from __future__ import annotations

from agents.simulate.agent import new_member
from agents.simulate.fleet_file import Fleet
from portal.demo import files


def add_to(fleet: Fleet) -> None:
    """Add a pretend computer for each live one that the fleet does not have yet. They enroll as real ones do."""
    known = {member.machine_id for member in fleet.members}
    for name, install_key in files.live_computers():
        machine_id = f"stand-in-{name}"
        if machine_id not in known:
            fleet.members.append(new_member(name, machine_id, install_key=install_key, os="linux", profile="linux"))
