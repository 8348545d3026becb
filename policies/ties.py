"""Policies of equal order, which is normal across scopes: every scope numbers from the same start. Who wins is told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from policies.models import Action, Level


def _may_meet(one: Any, other: Any) -> bool:
    """Whether some computer may obey both. Two groups never share one, nor do two customers; defaults never meet."""
    if one.is_default or other.is_default:
        return False
    if Level.GLOBAL in (one.level, other.level):
        return True
    apart = one.level == other.level and one.target_id != other.target_id
    return bool(one.organization_id == other.organization_id and not apart)


def ties(policies: Sequence[Any], among: Sequence[Any]) -> dict[UUID, str]:
    """Of `policies`, those that go before another one of the same order which some computer may obey too, and why.

    Both are sorted as evaluated, with the fields of `listing.as_evaluated`; `among` holds every policy of those
    orders, so that neither the end of a page nor a filter hides a tie.
    """
    following = {policy.id: after.id for policy, after in pairwise(policies)}
    same: dict[tuple[int, int], list[Any]] = {}
    for policy in among:
        same.setdefault((policy.band, policy.order), []).append(policy)
    found: dict[UUID, str] = {}
    for policy in policies:
        group = same.get((policy.band, policy.order), [])
        at = next((index for index, one in enumerate(group) if one.id == policy.id), len(group))
        other = next((one for one in group[at + 1 :] if _may_meet(policy, one)), None)
        if other is not None:
            name = "the next" if following.get(policy.id) == other.id else other.name
            found[policy.id] = f"same order as {name}; {_why(policy, other)}"
    return found


def _why(first: Any, second: Any) -> str:
    if first.restrictiveness < second.restrictiveness:
        return f"the {Action(first.action).label.lower()} goes first"
    return "the nearer scope goes first" if first.nearness < second.nearness else "the older goes first"
