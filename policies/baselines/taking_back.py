"""Undoing that a version was carried: the follower is brought back to the one it had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from policies.baselines import reading
from policies.baselines.bringing import GONE, bring
from policies.baselines.followers import load_following
from policies.models import BaselineException, Policy
from policies.undoing import reversal
from portal.common.errors import Conflict, NotFound
from portal.tenants.capabilities import Capability
from portal.tenants.reach import Reach


@reversal("baseline.carried")
def undo_carrying(reach: Reach, payload: Mapping[str, Any]) -> None:
    """Back to the version before. Exceptions that carrying ended are in force again."""
    try:
        subscription = reading.subscription(reach, payload["subscription"])
    except NotFound as gone:
        raise Conflict("This organization has stopped following the baseline since.") from gone
    reach.require(Capability.POLICY_WRITE, subscription.organization_id)
    if subscription.version != payload["to"]:
        raise Conflict(f"Version {subscription.version} was carried since; undo that first.")
    for source, policy in payload["released"]:
        Policy.objects.within(reach).filter(id=UUID(policy), linked_to__isnull=True).update(linked_to_id=UUID(source))
    BaselineException.objects.within(reach).filter(
        id__in=[UUID(exception) for exception in payload["exceptions"].values()],
        end_note=GONE,
    ).update(ended_at=None, ended_by="", end_note="")
    following = load_following(reach, subscription.baseline, [subscription], versions=[payload["from"]])
    bring(reach, following, following.followers[0], payload["from"], verb="baseline.carried_back")
