"""The demo's computers: real Linux agents where the kernel lets them guard, simulated ones for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from portal.supervisor.children import Children
from portal.supervisor.demo_file import LiveComputer
from portal.supervisor.layout import Layout
from portal.supervisor.plan import manage
from portal.supervisor.programs import Program
from portal.supervisor.run_settings import RunSettings


def start_agents(
    children: Children,
    layout: Layout,
    computers: Sequence[LiveComputer],
    settings: RunSettings,
    environment: Mapping[str, str],
) -> None:
    children.start(Program("simulate", manage("simulate"), environment, essential=False))
