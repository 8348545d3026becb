"""How fast batches become events, against two baselines in the same run.

    .venv/bin/python -m benchmarks.ingest [--full]

`ours`: `audit.ingest.ingest_batch` as the agent gateway calls it: decode, ledger, dictionaries, wall, four indexes.
`bulk_create`: decode, then Django's ORM into one wide table with Django's default indexes: what one would write first.
`raw copy`: binary COPY of the same wide rows into a table without any index: about what PostgreSQL can take.

Rounds are interleaved; medians are told; the ratios come last. Needs DATABASE_URL and DATABASE_OWNER_URL of a scratch
database with migrations applied: it makes and drops tables of its own and leaves events behind.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

# ruff: noqa: E402  # models can be imported after django.setup() only

from django.db import connection, connections, models, transaction

from agents.protocol.messages import Event, EventBatch, EventDecision, RawEventBatch, decode, encode
from audit.ingest import ingest_batch
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import Reach, agent_reach, system_reach
from portal.tenants.scoping import reaching

BATCH = 1_000
RECURRING = 20_000
SYSTEM = system_reach("benchmark")
PERMIT = EventDecision(action="permit", effect="permitted", policy="0193c0de-0000-7000-8000-000000000001")
DENY = EventDecision(action="deny", effect="denied", reason_code="default_deny")
WIDE = (
    ("occurred_at", "timestamptz"), ("organization_id", "int8"), ("computer_id", "int8"), ("group_id", "int8"),
    ("user_name", "text"), ("action", "text"), ("path", "text"), ("sha256", "text"), ("certificate", "text"),
    ("process", "text"), ("created_by", "text"), ("command_line", "text"), ("policy_id", "text"), ("effect", "text"),
)  # fmt: skip


class WideEvent(models.Model):
    """The table one would write first."""

    occurred_at = models.DateTimeField(db_index=True)
    organization_id = models.BigIntegerField(db_index=True)
    computer_id = models.BigIntegerField(db_index=True)
    group_id = models.BigIntegerField(db_index=True)
    user_name = models.TextField()
    action = models.TextField()
    path = models.TextField()
    sha256 = models.TextField()
    certificate = models.TextField()
    process = models.TextField()
    created_by = models.TextField()
    command_line = models.TextField()
    policy_id = models.TextField(db_index=True)
    effect = models.TextField()

    class Meta:
        app_label = "audit"
        managed = False
        db_table = "bench_wide"


def made_up(rows: int, chance: random.Random, *, recurring: bool = False) -> list[Event]:
    """Events of one computer: 70% of some common files, the rest rarer ones, one in 200 never seen before.
    `recurring`: each file that is seen again and again, once."""
    now = clock.to_ms(clock.now())
    events = []
    for index in range(rows):
        number = chance.randrange(400) if chance.random() < 0.7 else chance.randrange(RECURRING)
        if recurring:
            number = index
        elif chance.random() < 0.005:
            number = chance.getrandbits(60)
        process = chance.randrange(60)
        events.append(
            Event(
                sequence=index + 1,
                occurred_at_ms=now + index,
                action_type="execute",
                path=rf"C:\Program Files\Vendor {number % 97}\Program {number}\program_{number}.exe",
                sha256=hashlib.sha256(str(number).encode()).hexdigest(),
                certificate=f"CN=Vendor {number % 97} Ltd" if number % 4 else "",
                process=rf"C:\Windows\System32\parent_{process}.exe",
                created_by=r"C:\Windows\System32\msiexec.exe" if number % 3 == 0 else "",
                command_line=f'"program_{number}.exe" --session {chance.getrandbits(48):x} --quiet',
                user="ABLE\\jdoe" if chance.random() < 0.6 else "NT AUTHORITY\\SYSTEM",
                decision=DENY if chance.random() < 0.01 else PERMIT,
            )
        )
    return events


def wide_row(event: Event) -> tuple[Any, ...]:
    decision = event.decision or PERMIT
    return (
        datetime.fromtimestamp(event.occurred_at_ms / 1000, UTC), 1, 2, 3, event.user, event.action_type, event.path,
        event.sha256, event.certificate, event.process, event.created_by, event.command_line, decision.policy,
        decision.effect,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Rows a second by the wall clock; microseconds of processor a row, ours and the database's together."""

    rate: float
    cpu_us: float


class Clock:
    """Wall and processor time from now on. On a shared machine the processor's is the one to compare."""

    def __init__(self) -> None:
        connection.ensure_connection()
        self.wall, self.cpu = time.perf_counter(), self._cpu()

    @staticmethod
    def _cpu() -> float:
        """Of this process and, when the server is on this machine, of its process for us (in steps of 10 ms)."""
        stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat")
        ticks = sum(map(int, stat.read_text().rsplit(")", 1)[1].split()[11:13])) if stat.exists() else 0
        return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")

    def cost(self, rows: int) -> Cost:
        return Cost(rows / (time.perf_counter() - self.wall), (self._cpu() - self.cpu) / rows * 1e6)


class Bench:
    def __init__(self) -> None:
        with reaching(SYSTEM):
            mark = f"{time.time_ns():x}"
            organization = Organization.objects.within(SYSTEM).create(name=f"Bench {mark}", slug=f"bench-{mark}")
            group = ComputerGroup.objects.within(SYSTEM).create(organization=organization, name="Bench", slug="bench")
            self.computer = Computer.objects.within(SYSTEM).create(
                organization=organization, group=group, name="BENCH", machine_id=mark, os="windows"
            )
        self.reach: Reach = agent_reach(
            computer_id=self.computer.id, name="BENCH", organization_id=organization.id, number=organization.number,
            ancestors=[],
        )  # fmt: skip
        self.next_batch = 0

    def ours(self, events: list[Event], size: int = BATCH) -> Cost:
        bodies = self.bodies(events, size)
        started = Clock()
        for body in bodies:
            batch = decode(RawEventBatch, body)
            with reaching(self.reach):
                digest = hashlib.sha256(body).hexdigest()
                answer = ingest_batch(self.reach, computer=self.computer, batch=batch, digest=digest)
            assert not answer.rejected
        return started.cost(len(events))

    def bodies(self, events: list[Event], size: int) -> list[bytes]:
        found = []
        for start in range(0, len(events), size):
            part = tuple(events[start : start + size])
            self.next_batch += 1
            found.append(encode(EventBatch(boot_id="bench", batch=self.next_batch, first_sequence=1, events=part)))
        return found

    def ours_small(self, events: list[Event]) -> Cost:
        return self.ours(events[: len(events) // 10], size=25)

    def bulk_create(self, events: list[Event]) -> Cost:
        bodies = self.bodies(events, BATCH)
        names = [name for name, _ in WIDE]
        started = Clock()
        for body in bodies:
            rows = [wide_row(event) for event in decode(EventBatch, body).events]
            with transaction.atomic():
                WideEvent.objects.bulk_create([WideEvent(**dict(zip(names, row, strict=True))) for row in rows])
        return started.cost(len(events))

    def raw_copy(self, events: list[Event]) -> Cost:
        rows = [wide_row(event) for event in events]
        names = ", ".join(name for name, _ in WIDE)
        started = Clock()
        for start in range(0, len(rows), BATCH):
            statement = f"COPY bench_raw ({names}) FROM STDIN (FORMAT binary)"
            with transaction.atomic(), connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.set_types([kind for _, kind in WIDE])
                for row in rows[start : start + BATCH]:
                    copy.write_row(row)
        return started.cost(len(events))


def tables() -> None:
    columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in WIDE)
    with connections["owner"].cursor() as owner:
        owner.execute("DROP TABLE IF EXISTS bench_wide, bench_raw")
        owner.execute(f"CREATE TABLE bench_raw ({columns})")
    with connections["owner"].schema_editor() as editor:
        editor.create_model(WideEvent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="five rounds of 50,000 rows")
    rounds, rows = (5, 50_000) if parser.parse_args().full else (3, 10_000)
    tables()
    bench, chance = Bench(), random.Random(20261121)
    bench.ours(made_up(RECURRING, chance, recurring=True))  # these files are known, as they are after some hours
    variants: dict[str, Callable[[list[Event]], Cost]] = {
        "ours, batches of 1,000": bench.ours,
        "ours, batches of 25": bench.ours_small,
        "bulk_create, default indexes": bench.bulk_create,
        "raw binary copy, no index": bench.raw_copy,
    }
    found: dict[str, list[Cost]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, run in variants.items():
            found[name].append(run(made_up(rows, chance)))
    rate = {name: statistics.median(cost.rate for cost in costs) for name, costs in found.items()}
    cpu = {name: statistics.median(cost.cpu_us for cost in costs) for name, costs in found.items()}
    for name in variants:
        print(f"{name:30} {rate[name]:>10,.0f} rows/s   {cpu[name]:>6.1f} us of processor a row")
    ours, small, orm, raw = variants
    for title, above, below in (
        ("ours / bulk_create", ours, orm),
        ("ours / raw copy", ours, raw),
        ("25-row / 1,000-row", small, ours),
    ):
        by_clock, by_processor = rate[above] / rate[below], cpu[below] / cpu[above]
        print(f"ratio {title:24} {by_clock:>6.2f} by the clock   {by_processor:>6.2f} by processor")
    with connections["owner"].cursor() as owner:
        owner.execute("DROP TABLE bench_wide, bench_raw")


if __name__ == "__main__":
    main()
