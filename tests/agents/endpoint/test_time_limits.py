"""What is permitted until a certain time is over then, whatever is done to clock, power or network (armed policies)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agents.endpoint import bundles
from agents.endpoint.bundles import Loaded
from agents.endpoint.kernel import fanotify
from agents.endpoint.ruling import RuleBook
from agents.protocol.manifest import Manifest, ManifestPlace
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application, Policy
from policies.engine.rules import FileRule
from tests.agents.endpoint.test_clock_and_modes import DAY, HOUR, NOW, Machine

SCRIPT = FileFacts(path="/rmm/job.sh", os="linux")
GROUP, ORGANIZATION = "g", "o"
ARMED_FOR = HOUR


class ArmedMachine(Machine):
    """A computer with one policy that is armed for an hour from NOW, in its signed bundle."""

    action = "permit"

    def start(self) -> None:
        super().start()
        self.book = RuleBook(self.clock, self.modes)
        self.book.use(armed_bundle(self.action))

    def runs(self) -> bool:
        self.book.refresh_mode()
        self.clock_file, self.mode_file = self.clock.record(), self.modes.record()
        return self.book.rule(SCRIPT).verdict == fanotify.ALLOW


def armed_bundle(action: str) -> Loaded:
    rmm = Application("a", "RMM scripts", False, (FileRule("r", path="/rmm/*"),))
    fence: dict[str, object] | None = {} if action == "permit_ringfenced" else None
    armed = Policy(
        "p", "grp-rmm-permit", "group", GROUP, cast(Any, action), applications=("a",),
        expires_at=int((NOW + ARMED_FOR) * 1000), ringfence=fence,
    )  # fmt: skip
    default = Policy("d", "Default", "group", GROUP, "deny", order=1_000_000, is_default=True)
    place = ManifestPlace(organization=ORGANIZATION, group=GROUP, os="linux")
    manifest = Manifest(
        organization=ORGANIZATION, computer="c", key_fingerprint="k", version=1, issued_at=int(NOW),
        expires_at=int(NOW + 30 * DAY), place=place, layers=(),
    )  # fmt: skip
    policies = [armed, default]
    engine = Engine([rmm], policies, "linux")
    timeless = bundles._timeless(engine, policies)
    return Loaded(cast(Any, None), manifest, engine, timeless, bundles._places(manifest), frozenset(), frozenset())


@pytest.fixture(params=["permit", "permit_ringfenced"])
def machine(request: pytest.FixtureRequest) -> ArmedMachine:
    made = ArmedMachine()
    made.action = request.param
    made.start()
    made.clock.anchor(NOW)
    assert made.runs()
    return made


def test_it_is_on_until_the_end_and_off_from_then_on(machine: ArmedMachine) -> None:
    machine.let_pass(ARMED_FOR - 1)
    assert machine.runs()
    machine.let_pass(1)
    assert not machine.runs()


def test_once_over_it_never_comes_back_clock_set_back_reboot_and_no_portal(machine: ArmedMachine) -> None:
    machine.let_pass(ARMED_FOR)
    assert not machine.runs()
    machine.wall -= 2 * HOUR
    assert not machine.runs()
    for off in (-DAY, 60.0, 2 * HOUR, -HOUR, 0.0):
        machine.reboot(off_seconds=off)
        assert not machine.runs(), f"after a reboot with the clock moved by {off}"
        machine.let_pass(30)
        assert not machine.runs()


def test_a_clock_set_back_by_less_than_is_noticed_does_not_bring_it_back(machine: ArmedMachine) -> None:
    machine.let_pass(ARMED_FOR)
    assert not machine.runs()
    machine.reboot(off_seconds=-100)
    assert not machine.clock.set_back
    assert not machine.runs()


def test_a_clock_set_back_while_it_is_armed_ends_it_at_once(machine: ArmedMachine) -> None:
    machine.let_pass(60)
    assert machine.runs()
    machine.wall -= DAY
    assert not machine.runs()


def test_setting_it_back_and_rebooting_wins_no_time(machine: ArmedMachine) -> None:
    """The clock goes back while it runs, time passes, and the reboot hides it: what passed is not forgotten."""
    machine.let_pass(60)
    assert machine.runs()
    machine.wall -= 100
    machine.let_pass(ARMED_FOR - 60)
    assert not machine.runs()
    machine.wall = NOW + 61
    machine.reboot(off_seconds=0)
    assert not machine.runs()


def test_a_wall_clock_that_stands_still_after_a_reboot_does_not_keep_it_on(machine: ArmedMachine) -> None:
    machine.let_pass(60)
    assert machine.runs()
    machine.reboot(off_seconds=0)
    assert machine.runs()
    machine.uptime += ARMED_FOR
    assert not machine.runs()


def test_the_same_across_restarts_of_the_agent_within_one_boot_without_the_portal(machine: ArmedMachine) -> None:
    machine.reboot(off_seconds=0)
    for _ in range(59):
        machine.uptime += 60
        assert machine.runs()
        machine.start()
    machine.uptime += 60
    machine.start()
    assert not machine.runs(), "each restart goes on where the one before was"


def test_a_clock_that_is_slow_is_no_clock_that_was_set_back() -> None:
    machine = ArmedMachine(wall=NOW - 3 * HOUR)
    machine.start()
    machine.clock.anchor(NOW)
    assert machine.runs()
    machine.reboot(off_seconds=600)
    assert not machine.clock.set_back
    assert machine.runs()
    assert machine.clock.now() == NOW + 600, "what it lags behind is remembered"


def test_the_portals_time_ends_the_doubt(machine: ArmedMachine) -> None:
    machine.wall -= DAY
    assert not machine.runs()
    machine.clock.anchor(NOW + 120)
    assert machine.runs()


def test_a_deny_with_an_end_is_not_lifted_by_setting_the_clock_back() -> None:
    machine = ArmedMachine()
    machine.action = "deny"
    machine.start()
    machine.clock.anchor(NOW)
    machine.wall -= DAY
    assert not machine.runs()
    assert machine.book.rule(SCRIPT).decision.policy == "p"
