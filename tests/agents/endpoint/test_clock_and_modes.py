"""S-72: relaxed modes end by themselves, whatever is done to the clock, the power or the network."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from agents.endpoint.clock import ClockRecord, Sources, TrustedClock
from agents.endpoint.modes import ModeKeeper, ModeRecord
from agents.protocol.manifest import ModeWindow

NOW = 1_790_000_000.0
HOUR, DAY = 3_600.0, 86_400.0
WINDOW = ModeWindow(mode="installation", started_at=int(NOW), ends_at=int(NOW + HOUR), window="w1")


@dataclass
class Machine:
    """A computer whose clocks a test can bend, and the agent's two files on it."""

    wall: float = NOW
    uptime: float = 1_000.0
    boots: int = 1
    clock_file: ClockRecord = field(default_factory=ClockRecord)
    mode_file: ModeRecord = field(default_factory=ModeRecord)

    def start(self) -> None:
        """The agent's worker starts and reads its files."""
        sources = Sources(wall=lambda: self.wall, boot=lambda: self.uptime, boot_id=f"boot {self.boots}")
        self.clock = TrustedClock(sources, self.clock_file)
        self.modes = ModeKeeper(self.clock, self.mode_file)

    def mode(self) -> str:
        self.clock.tick()
        mode = self.modes.current()
        self.clock_file, self.mode_file = self.clock.record(), self.modes.record()
        return mode

    def let_pass(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds

    def reboot(self, off_seconds: float = 60.0) -> None:
        self.wall += off_seconds
        self.uptime = 5.0
        self.boots += 1
        self.start()


@pytest.fixture
def machine() -> Machine:
    """A computer in an installation window of one hour that has just begun."""
    made = Machine()
    made.start()
    made.clock.anchor(NOW)
    made.modes.enter(WINDOW)
    assert made.mode() == "installation"
    return made


def test_the_window_ends_at_its_end_and_not_before(machine: Machine) -> None:
    machine.let_pass(HOUR - 1)
    assert machine.mode() == "installation"
    machine.let_pass(1)
    assert machine.mode() == "secured"
    assert machine.modes.ends_at is None


def test_after_the_window_comes_what_the_portal_signed(machine: Machine) -> None:
    machine.modes.enter(ModeWindow(mode="learning", ends_at=int(NOW + 10), window="w2", after="monitor_only"))
    assert machine.mode() == "learning"
    machine.let_pass(11)
    assert machine.mode() == "monitor_only"


def test_a_reboot_neither_prolongs_nor_shortens_it(machine: Machine) -> None:
    machine.let_pass(1_000)
    machine.mode()
    machine.reboot(off_seconds=600)
    assert machine.mode() == "installation"
    machine.let_pass(HOUR - 1_600)
    assert machine.mode() == "secured"


def test_three_days_off_and_it_is_over_at_the_first_look(machine: Machine) -> None:
    machine.reboot(off_seconds=3 * DAY)
    assert machine.mode() == "secured"


def test_a_clock_set_back_ends_it_at_once(machine: Machine) -> None:
    machine.let_pass(60)
    machine.mode()
    machine.wall -= DAY
    assert machine.mode() == "secured"
    machine.wall += DAY
    assert machine.mode() == "secured", "what is over stays over"


def test_a_clock_set_back_while_the_power_was_off_ends_it_at_once(machine: Machine) -> None:
    machine.let_pass(60)
    machine.mode()
    machine.reboot(off_seconds=-DAY)
    assert machine.mode() == "secured"


def test_slowing_the_wall_clock_does_not_help(machine: Machine) -> None:
    machine.uptime += HOUR
    assert machine.mode() == "secured"


def test_small_steps_of_time_synchronization_are_not_an_attack(machine: Machine) -> None:
    machine.let_pass(60)
    machine.mode()
    machine.wall -= 30
    assert machine.mode() == "installation"


def test_what_is_over_stays_over_across_restarts_and_repeats(machine: Machine) -> None:
    machine.let_pass(HOUR)
    machine.mode()
    machine.start()
    machine.modes.enter(WINDOW)
    assert machine.mode() == "secured"


def test_another_window_opens_again(machine: Machine) -> None:
    machine.let_pass(HOUR)
    machine.mode()
    machine.modes.enter(ModeWindow(mode="installation", ends_at=int(NOW + 3 * HOUR), window="w2"))
    assert machine.mode() == "installation"


def test_a_mode_without_an_end_lasts_until_the_next_manifest(machine: Machine) -> None:
    machine.modes.enter(ModeWindow(mode="monitor_only"))
    machine.let_pass(400 * DAY)
    assert machine.mode() == "monitor_only"
    machine.modes.enter(ModeWindow())
    assert machine.mode() == "secured"


def test_decisions_go_by_the_portals_time_not_by_the_wall_clock(machine: Machine) -> None:
    machine.wall += 10 * DAY
    machine.uptime += 60
    assert machine.clock.now() == NOW + 60
    machine.wall -= 20 * DAY
    assert machine.clock.now() == NOW + 60


def test_time_never_runs_backwards_across_a_reboot(machine: Machine) -> None:
    machine.let_pass(500)
    machine.mode()
    machine.reboot(off_seconds=-10 * DAY)
    assert machine.clock.now() >= NOW + 500
    assert machine.clock.set_back


def test_a_clock_that_was_far_ahead_is_mended_by_the_portals_time() -> None:
    machine = Machine(wall=NOW + 3_000 * DAY)
    machine.start()
    machine.mode()
    machine.wall = NOW
    machine.clock.tick()
    assert machine.clock.set_back
    machine.clock.anchor(NOW)
    machine.clock.tick()
    assert not machine.clock.set_back
    assert machine.clock.now() == NOW
