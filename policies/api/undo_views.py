"""REST views of steps that can be undone."""

from __future__ import annotations

from rest_framework.response import Response

from policies import undoing
from policies.api.list_shapes import UndoQuery, UndoStepAnswer
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability


class UndoStepList(PortalAPIView):
    """Steps that were, or can be, undone in one: moves, renumberings, changes of many policies. Newest first."""

    needs = {"GET": Capability.POLICY_READ}
    answer = {"GET": UndoStepAnswer}
    query = UndoQuery
    lists = True

    def get(self, request: PortalAPIRequest) -> Response:
        wanted = self.asked().get("organization")
        organization_id = tenants.organization(request.reach, wanted).id if wanted else None
        return self.listing(undoing.undo_steps(request.reach, organization_id), ("-created_at", "-id"))


class UndoStepUndo(PortalAPIView):
    """Taking one step back."""

    needs = {"POST": Capability.POLICY_WRITE}
    answer = {"GET": UndoStepAnswer}

    def post(self, request: PortalAPIRequest, step_id: str) -> Response:
        """Put back exactly what was. 409 when it was undone already, or names what has changed since."""
        undoing.undo(request.reach, step_id)
        return self.one(undoing.undo_step(request.reach, step_id))
