"""A small random fleet's events, from a seed: three organizations, some hours over several days, part of it folded."""

from __future__ import annotations

import random
from datetime import timedelta

from agents.protocol.messages import EventDecision, Gap
from audit import fold
from portal.common import clock
from portal.tenants.models import Computer, Organization
from tests import factories
from tests.audit.sending import event, send

FOLDERS = [r"C:\Windows\Temp", r"C:\Program Files\Acme 100%", r"C:\Users\j_doe\AppData\Local", r"C:\Büro"]
NAMES = ["setup.exe", "Update_4.2.exe", "chrome.exe", "invoice\u202efdp.exe", "a_b.ps1", "aXb.ps1"]
PROCESSES = ["", r"C:\Windows\explorer.exe", r"C:\Program Files\AcmeRMM\acme_agent.exe", r"C:\Windows\cmd.exe"]
SIGNERS = ["", "CN=Acme Ltd", "CN=Microsoft Corporation"]
USERS = ["", "ABLE\\jdoe", "NT AUTHORITY\\SYSTEM", "mkay"]
DECISIONS = [
    EventDecision(action="permit", effect="permitted", policy="11111111-1111-4111-8111-111111111111"),
    EventDecision(action="deny", effect="denied", reason_code="default_deny"),
    EventDecision(action="deny", effect="permitted", simulated=True, learned=True),
    EventDecision(action="permit_ringfenced", effect="ringfenced", application="22222222-2222-4222-8222-222222222222"),
]


def fill(organizations: list[Organization], *, seed: int, batches: int = 60, folded: int = 40) -> list[Computer]:
    """Send `batches` of up to 12 random events over six days; the first `folded` of them are folded."""
    chance = random.Random(seed)
    computers = [
        factories.computer(group, f"{group.name[:3].upper()}-{number:02}")
        for organization in organizations
        for group in (factories.group(organization, "Finance"), factories.group(organization, "Sales"))
        for number in (1, 2)
    ]
    start = clock.now() - timedelta(days=6)
    for number in range(batches):
        if number == folded:
            assert fold.fold(factories.SYSTEM).batches == folded
        at = start + timedelta(minutes=chance.randrange(6 * 24 * 60))
        events = [_event(chance, index) for index in range(1, chance.randrange(2, 13))]
        send(chance.choice(computers), *events, batch=number, received_at=at)
    return computers


def _event(chance: random.Random, sequence: int) -> object:
    if chance.random() < 0.05:
        gap = Gap(dropped_permits=chance.randrange(9), dropped_denies=0)
        return event(
            sequence, action_type="gap", gap=gap, decision=None, path="", sha256="", process="", created_by="",
            command_line="", user="",
        )  # fmt: skip
    path = chance.choice(FOLDERS) + "\\" + chance.choice(NAMES)
    return event(
        sequence,
        path=path,
        sha256="" if chance.random() < 0.1 else f"{hash((path, chance.randrange(2))) & (2**64 - 1):064x}",
        certificate=chance.choice(SIGNERS),
        process=chance.choice(PROCESSES),
        created_by=chance.choice(PROCESSES),
        user=chance.choice(USERS),
        action_type=chance.choice(["execute", "script", "install", "teleport"]),
        mode=chance.choice(["secured", "learning"]),
        decision=chance.choice(DECISIONS),
    )
