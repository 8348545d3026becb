"""REST views of policies: lists sorted as computers evaluate them, and writes. Moves stand in `order_views`."""

from __future__ import annotations

from django.urls import reverse
from rest_framework.response import Response

from policies import authoring, linting, listing, queries
from policies.api import serializers as shapes
from policies.api.finding_views import with_warnings
from policies.api.list_shapes import PolicyQuery
from policies.api.shapes import PolicyBody, PolicyFields
from policies.drafting import draft_from
from policies.drafts import draft_of
from policies.listing import PolicyTerms
from policies.models import Policy
from policies.placing import Placement
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.POLICY_READ, Capability.POLICY_WRITE
_VOLATILE = frozenset({"last_matched_at"})
_EXAMPLE = {
    "scope": {"level": "group", "target": "finance"},
    "applications": ["01a1fd00-0000-7000-8000-000000000002"],
    "action": "permit",
    "expires_at": "2027-01-31T17:00:00Z",
    "ticket": "T-4711",
    "place": "bottom",
}


class PolicyList(PortalAPIView):
    """Policies in reach and the global ones above, in the order in which computers evaluate them.

    Disabled and expired ones are left out unless asked for.
    """

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": PolicyBody}
    answer = {"GET": shapes.PolicyAnswer}
    query = PolicyQuery
    lists = True
    volatile = _VOLATILE
    examples = {"POST": (_EXAMPLE, None)}

    def get(self, request: PortalAPIRequest) -> Response:
        terms = PolicyTerms(**self.asked())
        return self.listing(listing.policies_listed(request.reach, terms), listing.AS_EVALUATED)

    def post(self, request: PortalAPIRequest) -> Response:
        """Create a policy at the top or bottom of its organization's list."""
        wanted = self.parsed()
        place = Placement(wanted.get("place", "bottom"))
        draft = draft_from(request.reach, wanted)
        made = authoring.create_policy(request.reach, draft=draft, place=place)
        location = reverse("api:policy-detail", args=[made.id])
        answer = self.one(queries.policy(request.reach, made.id), location=location)
        return with_warnings(request, answer, lambda: linting.check_policy_draft(request.reach, draft, made.id))


class PolicyDetail(PortalAPIView):
    """One policy."""

    needs = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}
    body = {"PATCH": PolicyFields}
    answer = {"GET": shapes.PolicyAnswer}
    volatile = _VOLATILE
    examples = {"PATCH": ({"enabled": False, "reason": "not used this week"}, None)}

    def current(self, request: PortalAPIRequest, policy_id: str) -> Policy:
        return queries.policy(request.reach, policy_id)

    def get(self, request: PortalAPIRequest, policy_id: str) -> Response:
        return self.one(self.current(request, policy_id))

    def patch(self, request: PortalAPIRequest, policy_id: str) -> Response:
        """Change fields; what is left out stays. A group's default takes log and allow_request only."""
        found = self.current(request, policy_id)
        was = draft_of(found, [application.id for application in found.named_applications])
        authoring.update_policy(request.reach, found.id, draft=draft_from(request.reach, self.parsed(), base=was))
        return self.one(self.current(request, policy_id))

    def delete(self, request: PortalAPIRequest, policy_id: str) -> Response:
        """Delete the policy. A group's default cannot be deleted."""
        authoring.delete_policy(request.reach, self.current(request, policy_id).id)
        return self.gone()
