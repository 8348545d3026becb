"""What a computer runs, as opposed to what is saved: filled by the app that signs bundles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from policies.engine.decision import Decision
from policies.engine.engine import Engine
from policies.engine.facts import FileFacts
from policies.engine.model import Application, Place, Policy
from portal.common.registry import Slot
from portal.tenants.models import Computer
from portal.tenants.reach import Reach


@dataclass(frozen=True, slots=True)
class Deployed:
    """The bundle that a computer proved it runs. `is_newest`: no newer one was made for it. `since`: when."""

    version: int
    is_newest: bool
    since: datetime | None
    policies: tuple[Policy, ...]
    applications: tuple[Application, ...]
    place: Place


deployed_at: Slot[Callable[[Reach, Computer, datetime], Deployed | None]] = Slot("what a computer runs")
"""(reach, computer, at) -> its bundle with the mode that holds then; None when it runs none or its parts are gone."""


def decide_as_deployed(deployed: Deployed, facts: FileFacts, at_ms: int) -> Decision:
    """What the computer's own engine says about `facts` (in normal form of its operating system), with the trace."""
    engine = Engine(deployed.applications, deployed.policies, deployed.place.os)
    return engine.explain(facts, deployed.place, at_ms)
