"""REST views of the ordered list: moving one policy, and one change of many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rest_framework.response import Response

from policies import bulk, placing, queries
from policies.api import list_shapes as shapes
from policies.api.serializers import PolicyAnswer
from policies.bulk import Done
from policies.models import Policy, Status
from policies.moving import reorder_policy
from policies.placing import Placement
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_BULK = {"organization": "able-moose", "policies": ["01a1fd00-0000-7000-8000-000000000003"], "do": "disable"}


class PolicyMove(PortalAPIView):
    """Another place in the list of the policy's organization."""

    needs = {"POST": Capability.POLICY_WRITE}
    body = {"POST": shapes.MoveBody}
    answer = {"GET": PolicyAnswer, "POST": shapes.MoveAnswer}
    volatile = frozenset({"last_matched_at"})
    examples = {"POST": ({"place": "top", "seen_order": 100_301}, None)}

    def current(self, request: PortalAPIRequest, policy_id: str) -> Policy:
        return queries.policy(request.reach, policy_id)

    def post(self, request: PortalAPIRequest, policy_id: str) -> Response:
        """Move it to the top or bottom, before or after another policy, or to an order of its range.

        Others are renumbered only when no number is free there: `dry_run=true` shows which.
        """
        found, wanted = self.current(request, policy_id), self.parsed()
        seen = wanted.pop("seen_order", None)
        move = reorder_policy(request.reach, found.id, place=_place(wanted), seen_order=seen)
        moved: Any = self.current(request, policy_id)
        moved.renumbered, moved.undo_step = move.renumbered, move.step.id if move.step else None
        return self.one(moved)


class PolicyBulk(PortalAPIView):
    """One change of many policies of one organization: all of them or none."""

    needs = {"POST": Capability.POLICY_WRITE}
    body = {"POST": shapes.BulkBody}
    answer = {"GET": shapes.BulkAnswer}
    examples = {"POST": (_BULK, None)}

    def post(self, request: PortalAPIRequest) -> Response:
        """Enable, disable, delete, or give a status. 422 names every policy that cannot be changed so, and why."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted["organization"])
        writes: dict[str, Callable[..., Done]] = {
            "enable": bulk.enable_policies,
            "disable": bulk.disable_policies,
            "delete": bulk.delete_policies,
            "set_status": partial(bulk.restate_policies, status=Status(wanted.get("status", Status.INHERIT))),
        }
        done = writes[wanted["do"]](request.reach, wanted["policies"], organization_id=organization.id)
        told = {"changed": done.changed, "undo_step": done.step.id if done.step else None}
        return Response(self.represent(told))


def _place(wanted: dict[str, Any]) -> Placement:
    if "place" in wanted:
        return Placement(wanted["place"])
    if "order" in wanted:
        return placing.at(wanted["order"])
    return placing.before(wanted["before"]) if "before" in wanted else placing.after(wanted["after"])
