"""REST view of copying policies. With `dry_run` the answer is the mapping, and what would be made."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from policies.api import baseline_shapes as shapes
from policies.copying.making import copy_policies
from policies.copying.mapping import map_copies, policies_at, policies_to_copy
from policies.copying.wishes import Wishes
from policies.scopes import find_scope
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_EXAMPLE = {
    "policies": ["01a1fd00-0000-7000-8000-000000000002"],
    "targets": [{"level": "organization", "target": "brisk-otter-dental"}],
    "without_place": "leave_out",
}


class PolicyCopy(PortalAPIView):
    """Copies of policies at other groups, computers and organizations."""

    needs = {"POST": Capability.POLICY_WRITE}
    body = {"POST": shapes.CopyBody}
    answer = {"POST": shapes.CopyAnswer}
    examples = {"POST": (_EXAMPLE, None)}

    def post(self, request: PortalAPIRequest) -> Response:
        """Copy them: disabled, at the bottom, in the same relative order. All of one organization or none.

        Applications are mapped by name; `?dry_run=true` shows what each becomes, and what does not fit.
        """
        wanted = self.parsed()
        targets = [find_scope(request.reach, t["level"], t["target"]) for t in wanted["targets"]]
        ids = wanted.get("policies", [])
        if "source" in wanted:
            source = find_scope(request.reach, wanted["source"]["level"], wanted["source"]["target"])
            ids = [*ids, *policies_at(request.reach, source.scope)]
        wishes = _wishes(request, wanted)
        mapping = map_copies(request.reach, policies_to_copy(request.reach, ids), targets, wishes)
        copied = copy_policies(request.reach, ids, targets, wishes=wishes) if any(m.copies for m in mapping) else []
        return self.one({"mapping": mapping, "copied": copied})


def _wishes(request: PortalAPIRequest, wanted: dict[str, Any]) -> Wishes:
    applications = {
        (tenants.organization(request.reach, one["organization"]).id, one["application"]): one["use"]
        for one in wanted.get("applications", [])
    }
    left_out = frozenset((one["target"], one["policy"]) for one in wanted.get("leave_out", []))
    return Wishes(applications, left_out, wanted.get("without_place", "leave_out"))
