"""The lock-out guard at the press of *Deploy Policies*: what a deployment would newly stop that nobody may lose."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agents import contents
from agents.contents import Content
from agents.deployed import Opened, opened_content, place_given
from agents.models import Delivery, Manifest
from agents.scopes import DeploymentScope, computers_in, enrolled
from policies.engine.engine import Engine
from policies.lockout import Before, Essential, Lockout, Standing, lockouts_of
from policies.lockout.tools import managing_tools, tools_in_use
from portal.common import clock
from portal.common.errors import Refused
from portal.tenants.models import Computer
from portal.tenants.reach import Reach, system_reach
from portal.tenants.scoping import reaching

MOST_TOLD = 5
SHORTEST_REASON = 10
MOST_PROGRAMS = 8
LONGEST_PROGRAM = 1_024


def lockouts(scope: DeploymentScope) -> list[Lockout]:
    """What deploying everything saved to the computers of a scope would newly stop, by organization and place.

    The caller has checked that the scope may be deployed. Reads one organization after the other: some fifteen
    statements each, and the bundles of the places where something is stopped.
    """
    with reaching(system_reach("what a deployment would stop")) as system:
        per: dict[UUID, list[Computer]] = defaultdict(list)
        for computer in enrolled(computers_in(scope)).order_by("organization_id", "name", "id"):
            per[computer.organization_id].append(computer)
        tools, in_use = managing_tools(system), tools_in_use(system, list(per))
        found: list[Lockout] = []
        for organization_id, computers in per.items():
            saved = contents.snapshot(organization_id)
            standing = _standing(system, computers, tools, in_use.get(organization_id, frozenset()))
            found += lockouts_of(saved, computers, standing, clock.to_ms(clock.now()))
        return found


def refusal(found: list[Lockout]) -> Refused:
    """Why the deployment is not started, and what to do."""
    told = " ".join(one.sentence for one in found[:MOST_TOLD])
    more = f" And {len(found) - MOST_TOLD} more." if len(found) > MOST_TOLD else ""
    return Refused(
        f"This deployment would lock computers out, so nothing was sent. {told}{more} Permit what is named, or take "
        f"the deny back. If it is meant, give a reason of at least {SHORTEST_REASON} characters as override; it is "
        "written to the System Audit.",
        pointer="/override",
        code="lock_out",
    )


def checked_override(found: list[Lockout], override: str) -> str:
    """The reason under which the deployment may go ahead all the same; empty when nothing is locked out.

    Raises Refused without a real reason.
    """
    if not found:
        return ""
    reason = override.strip()
    if len(reason) < SHORTEST_REASON or len(set(reason)) < 4:
        raise refusal(found)
    return reason


def _standing(
    system: Reach, computers: list[Computer], tools: tuple[Essential, ...], in_use: frozenset[str]
) -> Standing:
    rows = Delivery.objects.within(system).filter(computer__in=computers).select_related("current")
    deliveries = {row.computer_id: row for row in rows.defer("current__layers")}
    programs = {
        str(computer_id): told for computer_id, row in deliveries.items() if (told := own_programs(row.heartbeat))
    }
    given = _Given(system, {c: row.current for c, row in deliveries.items() if row.current is not None})
    return Standing(programs=programs, managing=tools, in_use=in_use, before=given.before)


def own_programs(heartbeat: dict[str, Any]) -> tuple[str, ...]:
    """The agent's own program files as a computer told them. Its word costs and names no more than an agent's would:
    of a computer that tells many, or very long ones, the first few count."""
    told = heartbeat.get("programs")
    paths = [path for path in told if isinstance(path, str)] if isinstance(told, list) else []
    return tuple(path for path in paths[:MOST_PROGRAMS] if 0 < len(path) <= LONGEST_PROGRAM)


@dataclass(slots=True)
class _Given:
    """The bundles that computers were given last, opened when asked for; the same content is opened once."""

    system: Reach
    manifests: dict[UUID, Manifest]
    _engines: dict[tuple[str, ...], tuple[Engine, Opened] | None] = field(default_factory=dict)

    def before(self, computer: Computer) -> Before | None:
        manifest = self.manifests.get(computer.id)
        if manifest is None:
            return None
        content = contents.content_in(manifest)
        found = self._engine(manifest, content)
        if found is None:
            return None
        engine, opened = found
        return Before.of(engine, opened.policies, place_given(manifest, content, clock.now()))

    def _engine(self, manifest: Manifest, content: Content) -> tuple[Engine, Opened] | None:
        key = tuple(layer.digest for layer in content.layers)
        if key not in self._engines:
            opened = opened_content(self.system, manifest, content)
            engine = Engine(opened.applications, opened.policies, content.place.os) if opened else None
            self._engines[key] = (engine, opened) if engine and opened else None
        return self._engines[key]
