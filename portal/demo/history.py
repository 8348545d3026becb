"""Three weeks of believable Windows history, told by the demo's computers as they would have told it.

The first week was learning; since then the computers are secured. What happened is decided by the engine over the
demo's policies, and taken in by the same ingestion as everything else.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from agents.protocol import messages
from agents.protocol.messages import Event, EventBatch
from agents.simulate import programs
from agents.simulate.agent import event_of
from agents.simulate.fleet_file import Member
from audit.ingest import ingest_batch
from policies import compile as policy_compile
from policies.engine.engine import Engine
from policies.engine.model import Place
from policies.engine.normal_form import normal_facts
from portal.common import clock
from portal.tenants.models import Computer, Organization
from portal.tenants.reach import Reach

DAYS = 21
LEARNING_DAYS = 7
RUNS_ON_A_WORKDAY = 14
RUNS_ON_A_WEEKEND = 2


def tell(reach: Reach, organization: Organization, members: Sequence[Member]) -> int:
    """Ingest the history of an organization's computers. Returns the number of events. Same members, same history."""
    saved = policy_compile.snapshot(reach, organization.id)
    engine = saved.engine("windows")
    computers = {str(c.id): c for c in _computers(reach, organization.id)}
    count = 0
    for member in members:
        if member.state is None or member.state.computer not in computers:
            continue
        computer = computers[member.state.computer]
        for batch, received_at in _days(member, engine, saved.place_of(computer)):
            digest = hashlib.sha256(messages.encode(batch)).hexdigest()
            ingest_batch(reach, computer=computer, batch=batch, digest=digest, received_at=received_at)
            count += len(batch.events)
    return count


def _computers(reach: Reach, organization_id: UUID) -> list[Computer]:
    found = Computer.objects.within(reach).filter(organization_id=organization_id)
    return list(found.select_related("organization", "group"))


def _days(member: Member, engine: Engine, place: Place) -> Iterator[tuple[EventBatch, datetime]]:
    """One batch a day, oldest first, and when it arrived."""
    dice = random.Random(member.machine_id)  # noqa: S311 (a story, not a secret)
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    sequence = 1
    for ago in range(DAYS, -1, -1):
        day = today - timedelta(days=ago)
        mode = "learning" if ago > DAYS - LEARNING_DAYS else place.mode
        events = tuple(_events(member, engine, replace(place, mode=mode), day, dice, sequence))
        if not events:
            continue
        batch = EventBatch(
            boot_id=f"history-{member.machine_id}", batch=DAYS - ago + 1, first_sequence=sequence, events=events
        )
        sequence += len(events)
        yield batch, min(clock.from_ms(events[-1].occurred_at_ms) + timedelta(seconds=20), clock.now())


def _events(
    member: Member, engine: Engine, place: Place, day: datetime, dice: random.Random, first: int
) -> Iterator[Event]:
    number = day.toordinal()
    for sequence, instant in enumerate(_instants(day, dice), first):
        facts = normal_facts(programs.choose(member.profile, number, dice))
        at_ms = clock.to_ms(instant)
        yield event_of(sequence, facts, engine.decide(facts, place, at_ms), at_ms, place.mode, 1)


def _instants(day: datetime, dice: random.Random) -> list[datetime]:
    """When something ran that day, in order: mostly in working hours, never in the future."""
    runs = RUNS_ON_A_WORKDAY if day.weekday() < 5 else RUNS_ON_A_WEEKEND
    hours = [min(23.98, max(0.02, dice.gauss(13.5, 3.2))) for _ in range(dice.randrange(runs // 2, runs + runs // 2))]
    now = clock.now()
    found = sorted(day + timedelta(hours=hour) for hour in hours)
    return [instant for instant in found if instant < now]
