"""The pending approval request of the demo: an update of the line-of-business application asks to run in Finance."""

from __future__ import annotations

from agents.protocol.messages import RequestMessage
from agents.simulate.programs import ACME_UPDATER, build_hash
from audit.requests import receive_request
from portal.common import clock
from portal.demo.setup import Demo
from portal.tenants.models import Computer
from portal.tenants.reach import Reach

COMPUTER = "FIN-LT-07"
PATH = r"c:\users\jdoe\appdata\roaming\acme ledger\acme_update_4.2.exe"


def ask(reach: Reach, demo: Demo) -> None:
    """Ask as the computer's user would have, after the file was stopped."""
    organization = next(o for o in demo.organizations if o.slug == "able-moose")
    computer = (
        Computer.objects.within(reach)
        .select_related("organization", "group")
        .get(organization=organization, name=COMPUTER)
    )
    receive_request(
        reach,
        computer=computer,
        message=RequestMessage(
            path=PATH,
            sha256=build_hash(PATH, "4.2"),
            process=ACME_UPDATER,
            created_by=ACME_UPDATER,
            command_line="acme_update_4.2.exe /quiet",
            user=r"CORP\jdoe",
            reason="Month end: the ledger says it must update before we can close the books.",
            occurred_at_ms=clock.to_ms(clock.now()),
        ),
    )
