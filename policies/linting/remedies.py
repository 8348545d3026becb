"""Mending findings with one press: through the ordinary activities, told to the System Audit, undone in one step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from policies import bulk, moving, placing, queries
from policies.linting import mended_rules, reading
from policies.linting.finding import Finding
from policies.models import UndoStep
from portal.common.errors import FieldError, Invalid, PortalError
from portal.tenants.reach import Reach

MOST_AT_ONCE = 200
GONE = "This is no longer found: somebody mended it, or something changed."


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fix would do, in words; or `obstacle`, why it cannot."""

    finding: Finding
    text: str = ""
    obstacle: str = ""


class Failed(NamedTuple):
    """A finding by its key, and why it was not mended."""

    key: str
    reason: str


@dataclass(slots=True)
class Outcome:
    """What was mended, what was not and why, and the steps that undo it."""

    mended: list[Finding] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    steps: list[UndoStep] = field(default_factory=list)

    @property
    def summary(self) -> str:
        if not self.mended:
            return "Nothing was mended"
        if len(self.steps) == 1:
            return self.steps[0].summary
        return f"{len(self.mended)} findings mended"


def plan(reach: Reach, organization_id: UUID, keys: Sequence[str]) -> list[Plan]:
    """What fixing these findings would do. Writes nothing. Raises NotFound."""
    found = _wanted(reach, organization_id, keys)
    return [_planned(reach, one) for key in dict.fromkeys(keys) if (one := found.get(key)) is not None]


def fix(reach: Reach, *, organization_id: UUID, keys: Sequence[str]) -> Outcome:
    """Mend these findings of an organization; one that cannot be is told and holds up none of another kind.

    Raises NotFound, Invalid.
    """
    outcome = Outcome()
    found = _wanted(reach, organization_id, keys)
    outcome.failed += [Failed(key, GONE) for key in dict.fromkeys(keys) if key not in found]
    by_remedy: dict[str, list[Finding]] = defaultdict(list)
    for key, one in found.items():
        if one.fix is None or not one.fix.is_done_here:
            outcome.failed.append(Failed(key, "No button mends this: follow its link."))
        else:
            by_remedy[one.fix.kind].append(one)
    for remedy, findings in by_remedy.items():
        try:
            with transaction.atomic():
                outcome.steps += _mend(reach, organization_id, remedy, findings)
            outcome.mended += findings
        except PortalError as error:
            outcome.failed += [Failed(one.key, error.message) for one in findings]
    return outcome


def _wanted(reach: Reach, organization_id: UUID, keys: Sequence[str]) -> dict[str, Finding]:
    if not 0 < len(keys) <= MOST_AT_ONCE:
        raise Invalid([FieldError("/findings", f"Choose 1 to {MOST_AT_ONCE} findings.")])
    wanted = set(keys)
    return {one.key: one for one in reading.findings(reach, organization_id) if one.key in wanted}


def _mend(reach: Reach, organization_id: UUID, remedy: str, findings: Sequence[Finding]) -> list[UndoStep]:
    if remedy == "disable_policy":
        policies = [one.subject_id for one in findings]
        step = bulk.disable_policies(reach, policies, organization_id=organization_id).step
        return [step] if step else []
    if remedy == "move_above":
        moves = [moving.reorder_policy(reach, one.subject_id, place=placing.before(one.others[0])) for one in findings]
        return [move.step for move in moves if move.step is not None]
    return mended_rules.mend(reach, organization_id, remedy, findings)


def _planned(reach: Reach, one: Finding) -> Plan:
    if one.fix is None or not one.fix.is_done_here:
        return Plan(one, obstacle="No button mends this: follow its link.")
    if one.fix.kind == "disable_policy":
        return Plan(one, f"{one.subject_name} is disabled. It can be enabled again at any time.")
    if one.fix.kind == "move_above":
        policy, winner = queries.policy(reach, one.subject_id), queries.policy(reach, one.others[0])
        if policy.organization_id != winner.organization_id or policy.kind != winner.kind:
            return Plan(one, obstacle=_cannot_pass(winner.name, same_home=policy.kind != winner.kind))
        text = (
            f"{policy.name} (#{policy.order:,}, {policy.get_action_display().lower()}) moves before {winner.name} "
            f"(#{winner.order:,}, {winner.get_action_display().lower()}). From then on it decides what both name."
        )
        return Plan(one, text)
    return Plan(one, mended_rules.told(reach, one))


def _cannot_pass(name: str, *, same_home: bool) -> str:
    if same_home:
        return f"{name} is of the other kind (built-in or custom): see the setting Prioritize Built-In Applications."
    return f"{name} is in another organization's list: give one of the two another order by hand."
