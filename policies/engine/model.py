"""Applications, policies and places as the engine sees them: plain frozen values, no rows and no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from policies.engine.rules import FileRule

Level = Literal["global", "organization", "group", "computer"]
Action = Literal["permit", "permit_ringfenced", "deny"]
Status = Literal["inherit", "secured", "monitor_only"]
Mode = Literal["secured", "learning", "installation", "monitor_only"]

MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Application:
    """A named set of file rules; it matches when any rule does. The order of `rules` numbers them from 1."""

    id: str
    name: str
    builtin: bool
    rules: tuple[FileRule, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A weekly window in wall-clock minutes, half-open: `start_minute <= now < end_minute`.

    `day` is the day it starts on, Monday = 0. `start_minute` is 0 to 1439, `end_minute` 1 to 1440. An
    `end_minute` below `start_minute` runs past midnight and still belongs to its start day. Equal minutes are
    not a window.
    """

    day: int
    start_minute: int
    end_minute: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. `target` is the id of the group, organization or computer at `level`.

    A global policy targets a global group, or the MSP's organization for the whole MSP. `order`: lower wins.
    `starts_at` and `expires_at` are unix milliseconds, half-open. `is_default` marks a group's Default Deny:
    it has no applications and matches everything; its status, schedule, users and dates are not looked at.
    `armed`: it is off and was turned on until `expires_at`. That changes words only, and does not travel in bundles.
    """

    id: str
    name: str
    level: Level
    target: str
    action: Action
    status: Status = "inherit"
    order: int = 100_001
    applications: tuple[str, ...] = ()
    is_default: bool = False
    enabled: bool = True
    starts_at: int | None = None
    expires_at: int | None = None
    schedule: tuple[Window, ...] = ()
    time_zone: str = "UTC"
    users: tuple[str, ...] = ()
    allow_request: bool = True
    kill_running: bool = False
    log: bool = True
    ringfence: Mapping[str, object] | None = None
    armed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a computer stands, and how it treats what policies would deny.

    `organization` is the computer's own; `above` holds the ids of the organizations above it and of the
    global groups that hold it.
    """

    computer: str
    group: str
    organization: str
    above: tuple[str, ...] = ()
    mode: Mode = "secured"
    prioritize_builtin: bool = True
    os: str = "windows"
