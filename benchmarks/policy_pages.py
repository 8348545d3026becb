"""What the policies pages cost with 1,500 policies and 100,000 rules in one organization.

    .venv/bin/python -m benchmarks.policy_pages [--full]

`page`: GET of the screen through Django's handler, signed in: routing, walls, SQL, template. `small`: the same screen
of an organization with ten policies, in the same run: the ratio says what the size costs. Pages take turns. Wall time
is what people wait; CPU time of this process beside it tells a slow page from a busy machine.
Goal: p95 <= 150 ms of wall time on an idle machine, and the large list at most 4 times the small one.
Needs DATABASE_URL and DATABASE_OWNER_URL of a scratch database with migrations applied; leaves its rows behind.
"""

from __future__ import annotations

import argparse
import gc
import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

# ruff: noqa: E402  # models can be imported after django.setup() only

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks._measuring import ratio_line
from policies.models import Action, Application, FileRule, Level, MatchCount, Policy, PolicyApplication
from portal.accounts.models import Membership, Role, User
from portal.common import clock
from portal.tenants.models import Computer, ComputerGroup, Organization
from portal.tenants.reach import system_reach
from portal.tenants.scoping import reaching

SYSTEM = system_reach("benchmark")
GOAL_MS = 150


class World:
    """One organization: `policies` policies over 12 groups, `rules` rules in 800 applications, and 300 computers."""

    def __init__(self, mark: str, parent: Organization, policies: int, rules: int) -> None:
        with reaching(SYSTEM) as system:
            self.organization = Organization.objects.within(system).create(name=mark, slug=mark, parent=parent)
            self.groups = [self.group(f"{mark} {number}") for number in range(12 if policies > 50 else 1)]
            self.computer = self.computers()[0]
            applications = self.applications(max(1, rules // 125), rules)
            self.policies(policies, applications)

    def group(self, name: str) -> ComputerGroup:
        slug = name.lower().replace(" ", "-")
        return ComputerGroup.rows.create(organization=self.organization, name=name, slug=slug, os="windows")

    def computers(self) -> list[Computer]:
        return Computer.rows.bulk_create(
            Computer(
                organization=self.organization, group=group, name=f"{group.slug}-{number}", os="windows",
                machine_id=secrets.token_hex(12),
            )
            for group in self.groups
            for number in range(25)
        )  # fmt: skip

    def applications(self, count: int, rules: int) -> list[Application]:
        made = Application.rows.bulk_create(
            Application(organization=self.organization, kind="custom", os="windows", name=f"Application {number}")
            for number in range(count)
        )
        FileRule.rows.bulk_create(
            (
                FileRule(
                    organization=self.organization, application=made[number % count], position=number // count + 1,
                    hash=f"{number:064x}",
                )
                for number in range(rules)
            ),
            batch_size=5_000,
        )  # fmt: skip
        return made

    def policies(self, count: int, applications: list[Application]) -> None:
        today = clock.now()
        made = Policy.rows.bulk_create(self.policy(number) for number in range(count))
        PolicyApplication.rows.bulk_create(
            PolicyApplication(
                organization=self.organization, policy=policy, application=_around(applications, number + n),
                position=n,
            )
            for number, policy in enumerate(made)
            for n in range(min(3, len(applications)))
        )  # fmt: skip
        MatchCount.rows.bulk_create(
            (
                MatchCount(organization=self.organization, day=today.date(), policy=policy.id, count=3, last_at=today)
                for policy in made
            ),
            batch_size=5_000,
        )

    def policy(self, number: int) -> Policy:
        group = self.groups[number % len(self.groups)]
        return Policy(
            organization=self.organization, level=Level.GROUP, target_group=group, kind="custom",
            name=f"grp-{group.slug}-application-{number}-permit", order=100_001 + 100 * (number // len(self.groups)),
            action=Action.DENY if number % 7 == 0 else Action.PERMIT, last_matched_at=clock.now(), owner="Tom",
        )  # fmt: skip


def _around(applications: list[Application], number: int) -> Application:
    return applications[number % len(applications)]


def signed_in(at: Organization, mark: str) -> Client:
    with reaching(SYSTEM) as system:
        user = User.objects.create_user(email=f"{mark}@bench.example", password=secrets.token_hex(8), name="Bench")
        Membership.objects.within(system).create(organization=at, user=user, role=Role.OWNER)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


@dataclass
class Taken:
    """Milliseconds of each call of one page."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, call: Callable[[], object]) -> None:
        begun, busy = time.perf_counter(), time.thread_time()
        call()
        self.cpu.append((time.thread_time() - busy) * 1_000)
        self.wall.append((time.perf_counter() - begun) * 1_000)


def p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def pages(large: World, small: World) -> dict[str, str]:
    base, tiny = f"/o/{large.organization.slug}/policies/", f"/o/{small.organization.slug}/policies/"
    return {
        "small list": tiny,
        "small effective": f"{tiny}?effective_for={small.computer.id}",
        "list": base,
        "list, all in it": f"{base}?include_disabled=true",
        "effective policy of a computer": f"{base}?effective_for={large.computer.id}",
        "effective policy of a group": f"{base}?effective_in={large.groups[0].id}",
        "list filtered by text": f"{base}?q=application-14",
        "all organizations": "/all/policies/",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    rounds = 100 if parser.parse_args().full else 30
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "localhost"]
    settings.MFA_REQUIRED_ROLES = []
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}  # names without hashes: nothing was collected
    mark = f"bench-{secrets.token_hex(4)}"
    with reaching(SYSTEM) as system:
        msp = Organization.objects.within(system).create(name=mark, slug=mark, parent=None)
    large, small = World(f"{mark}-large", msp, 1_500, 100_000), World(f"{mark}-small", msp, 10, 100)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client, found = signed_in(msp, mark), pages(large, small)
    taken = {name: Taken() for name in found}
    for name, address in found.items():
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(address)
        if answer.status_code != 200:
            raise SystemExit(f"{address}: {answer.status_code}")
        print(f"{name:<34} {len(seen):>3} statements  {len(answer.content) / 1_000:>6.0f} kB")
    gc.disable()
    for _ in range(rounds):
        for name, address in found.items():
            taken[name].add(partial(client.get, address))
    for name, each in taken.items():
        wall, cpu = statistics.median(each.wall), statistics.median(each.cpu)
        print(f"{name:<34} median {wall:>6.1f} ms  p95 {p95(each.wall):>6.1f} ms  goal {GOAL_MS}   cpu {cpu:>6.1f} ms")
    for which, base in (("list", "small list"), ("effective policy of a computer", "small effective")):
        ratio = statistics.median(taken[which].wall) / statistics.median(taken[base].wall)
        print(ratio_line(f"large / small, {which}", ratio, "<= 4"))


if __name__ == "__main__":
    main()
