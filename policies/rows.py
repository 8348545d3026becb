"""Policies as rows of a screen: bands, ties, where each comes from, what may be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from policies import changes, linting, listing, match_counts
from policies.listing import PolicyTerms, Standing, State, state_of
from policies.match_counts import Matches
from policies.models import Kind, Level, Policy
from policies.ties import ties
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
    "policy.armed": "armed",
    "policy.disarmed": "disarmed",
    "policy.restored": "restored",
}
_DRAWN = ("child_processes", "files", "registry", "network")
_LEVER = {"off": "off", "log_only": "log", "enforce": "enforce"}


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One row. `band` is the heading above it, empty within a band. `tie`: before whom of the same order it goes.
    `pending`: what waits for a deployment. `reachable`: its home may be looked at. `matches`: of the last 30 days."""

    policy: Policy
    band: str
    state: State
    tie: str
    pending: str
    is_inherited: bool
    reachable: bool
    may_write: bool
    matches: Matches
    levers: tuple[str, str, str, str] | None
    lint: str = ""  # what lint says of it, in a few words

    @property
    def is_off(self) -> bool:
        return self.state in ("disabled", "expired")

    @property
    def may_move(self) -> bool:
        """Whether it has a place of its own in the list on the screen."""
        return self.may_write and not self.is_inherited and not self.policy.is_default


def policy_rows(
    reach: Reach,
    policies: Sequence[Policy],
    *,
    terms: PolicyTerms,
    at: Standing,
    organization_id: UUID | None = None,
    after: str = "",
) -> list[PolicyRow]:
    """Rows of policies sorted as evaluated. `after` is the cursor of the page, so that no heading comes twice."""
    shown = list(policies)
    ids = [policy.id for policy in shown]
    same_order = ties(shown, listing.same_orders(reach, terms, shown, at=at)) if shown else {}
    waiting = changes.pending_verbs(reach, ids)
    matched = match_counts.of_policies(reach, ids)
    linted = linting.findings_of_policies(reach, ids, organization_ids={policy.organization_id for policy in shown})
    band = _band_before(after)
    rows = []
    for policy in shown:
        policy.last_matched_at = listing.last_match(reach, policy, matched.get(policy.id, match_counts.NONE))
        heading = "" if _band(policy) == band else BANDS[_kind(policy)]
        band = _band(policy)
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
                matches=matched.get(policy.id, match_counts.NONE),
                levers=_levers(policy.ringfence),
                lint=linting.hint_of(linted.get(policy.id, ())),
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


def _levers(ringfence: dict[str, Any] | None) -> tuple[str, str, str, str] | None:
    """The four modes in the order in which they are drawn: programs, files, registry, internet."""
    if not ringfence:
        return None
    programs, files, registry, internet = (
        _LEVER[ringfence.get(name, {}).get("mode", "off")]
        for name in ("child_processes", "files", "registry", "network")
    )
    return programs, files, registry, internet
