"""Policies as rows of a screen: bands, ties, where each comes from, what may be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from policies import changes
from policies.listing import State, state_of, ties
from policies.models import Kind, Level, Policy
from portal.common.paging import unpack_cursor
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach

BANDS = {
    Kind.BUILTIN: "Built-in applications, 101 to 100,000",
    Kind.CUSTOM: "Custom applications, 100,001 to 999,999",
    None: "Default, always last",
}
_PENDING = {
    "policy.created": "new",
    "policy.moved": "moved",
    "policy.enabled": "enabled",
    "policy.disabled": "disabled",
}
_DRAWN = ("child_processes", "files", "registry", "network")
_LEVER = {"off": "off", "log_only": "log", "enforce": "enforce"}


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One row. `band` is the heading above it, empty within a band. `above` and `below` are the neighbours that it
    can change places with. `pending`: what waits for a deployment. `reachable`: its home may be looked at."""

    policy: Policy
    band: str
    state: State
    tie: str
    pending: str
    is_inherited: bool
    reachable: bool
    may_write: bool
    above: UUID | None
    below: UUID | None
    levers: tuple[str, str, str, str] | None

    @property
    def is_off(self) -> bool:
        return self.state in ("disabled", "expired")


def policy_rows(
    reach: Reach, policies: Sequence[Policy], *, organization_id: UUID | None = None, after: str = ""
) -> list[PolicyRow]:
    """Rows of policies sorted as evaluated. `after` is the cursor of the page, so that no heading comes twice."""
    shown = list(policies)
    same_order = ties(shown)
    waiting = changes.pending_verbs(reach, [policy.id for policy in shown])
    band = _band_before(after)
    rows = []
    for index, policy in enumerate(shown):
        heading = "" if _band(policy) == band else BANDS[_kind(policy)]
        band = _band(policy)
        above, below = _neighbours(shown, index)
        rows.append(
            PolicyRow(
                policy=policy,
                band=heading,
                state=state_of(policy),
                tie=same_order.get(policy.id, ""),
                pending=_PENDING.get(waiting.get(policy.id, ""), "edited") if policy.id in waiting else "",
                is_inherited=organization_id is not None and policy.organization_id != organization_id,
                reachable=reach.sees(policy.organization_id),
                may_write=may_write(reach, policy),
                above=above,
                below=below,
                levers=_levers(policy.ringfence),
            )
        )
    return rows


def may_write(reach: Reach, policy: Policy) -> bool:
    """Whether the reach may change the policy: global ones need their own capability."""
    own = reach.can(Capability.POLICY_WRITE, policy.organization_id)
    return own and (policy.level != Level.GLOBAL or reach.can(Capability.GLOBAL_WRITE, policy.organization_id))


def _kind(policy: Policy) -> Kind | None:
    return None if policy.is_default else Kind(policy.kind)


def _band(policy: Any) -> int:
    return int(policy.band)


def _band_before(after: str) -> int | None:
    values, backward = unpack_cursor(after) if after else ([], False)
    return None if backward or not values or values[0] is None else int(values[0])


def _neighbours(shown: list[Policy], index: int) -> tuple[UUID | None, UUID | None]:
    """The nearest policies above and below of the same kind; a default has none."""
    policy = shown[index]
    if policy.is_default:
        return None, None
    above = shown[index - 1] if index else None
    below = shown[index + 1] if index + 1 < len(shown) else None
    return _movable(policy, above), _movable(policy, below)


def _movable(policy: Policy, other: Policy | None) -> UUID | None:
    fits = other is not None and not other.is_default and other.kind == policy.kind
    return other.id if fits and other is not None else None


def _levers(ringfence: dict[str, Any] | None) -> tuple[str, str, str, str] | None:
    """The four modes in the order in which they are drawn: programs, files, registry, internet."""
    if not ringfence:
        return None
    programs, files, registry, internet = (
        _LEVER[ringfence.get(name, {}).get("mode", "off")]
        for name in ("child_processes", "files", "registry", "network")
    )
    return programs, files, registry, internet
