"""REST views of the Unified Audit: events, Permit Application, file history, approval requests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.response import Response

from audit import export, grouping, history, requests, search
from audit.api import serializers as shapes
from audit.approvals import Permit, permit_application
from audit.event_rows import EventRow
from audit.explain import explain
from audit.models import ApprovalRequest
from audit.search_terms import terms_of_parameters
from audit.suggestions import own_value
from policies.catalogue import RuleDraft
from policies.engine.rules import RULE_FIELDS
from policies.models import Action
from policies.placing import Placement
from portal.common.api.listing import cursor, page_size
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.common.errors import NotFound
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_PERMIT_EXAMPLE = {
    "application": {"create": {"name": "Acme RMM scripts"}},
    "rule": {
        "path": "regex:c:\\\\windows\\\\temp\\\\acmermm\\\\[0-9a-f]{10}\\.ps1",
        "process": True,
        "created_by": True,
    },
    "action": "permit",
    "scope": {"level": "organization", "target": "able-moose-accounting"},
    "ticket": "PSA-4417",
    "deploy": "scope",
}


class EventList(PortalAPIView):
    """The Unified Audit, newest first by arrival. `Accept: text/csv` streams the whole list instead of a page."""

    needs = {"GET": Capability.AUDIT_READ}
    answer = {"GET": shapes.EventAnswer}
    query = shapes.EventQuery
    lists = True

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        """`text/csv` is answered by `get` itself."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: PortalAPIRequest) -> Any:
        """Events that match all filters. `count=true` counts to 10,000.

        With `group_by` the results are groups instead, the largest first and not paged: each has `values` (field ->
        value), `count`, `first_at`, `last_at`.
        """
        asked = self.asked()
        terms = terms_of_parameters(asked)
        if asked.get("group_by"):
            groups = grouping.grouped(request.reach, terms, grouping.fields_of(asked["group_by"]))
            return Response({"results": shapes.GroupAnswer(groups, many=True).data, "next": None, "previous": None})
        if "text/csv" in request.headers.get("Accept", ""):
            return export.csv_response(export.csv_lines(request.reach, terms))
        page = search.events(request.reach, terms, after=cursor(request), size=page_size(request))
        return self.page(page, count=lambda: search.count(request.reach, terms).number)


class EventDetail(PortalAPIView):
    """One event."""

    needs = {"GET": Capability.AUDIT_READ}
    answer = {"GET": shapes.EventAnswer}

    def get(self, request: PortalAPIRequest, event_id: str) -> Response:
        return self.one(search.event(request.reach, event_id))


class EventExplain(PortalAPIView):
    """The decision of then, and the one of now with its trace."""

    needs = {"GET": Capability.AUDIT_READ}
    answer = {"GET": shapes.ExplanationAnswer}

    def get(self, request: PortalAPIRequest, event_id: str) -> Response:
        """Explain one event: as decided then, and as it would be decided now."""
        return self.one(explain(request.reach, search.event(request.reach, event_id)))


class EventPermit(PortalAPIView):
    """Permit Application."""

    needs = {"POST": Capability.POLICY_WRITE}
    body = {"POST": shapes.PermitBody}
    answer = {"GET": shapes.PermittedAnswer}
    statuses = {"POST": 201}
    examples = {"POST": (_PERMIT_EXAMPLE, None)}

    def post(self, request: PortalAPIRequest, event_id: str) -> Response:
        """Make application, rule, policy and, if asked, a deployment from an event, in one transaction."""
        event = search.event(request.reach, event_id)
        if event.is_gap:
            raise NotFound
        return self.one(permit_application(request.reach, event=event, permit=permit_from(event, self.parsed())))


class FileHistory(PortalAPIView):
    """View File History: every hash seen under a path, or every path of a hash, and whether a hash rule would hold."""

    needs = {"GET": Capability.AUDIT_READ}
    answer = {"GET": shapes.HistoryAnswer}
    query = shapes.HistoryQuery

    def get(self, request: PortalAPIRequest) -> Response:
        asked = self.asked()
        reference = asked.get("organization")
        seen = history.file_history(
            request.reach,
            path=asked.get("path", ""),
            sha256=asked.get("sha256", ""),
            organization=tenants.organization(request.reach, reference) if reference else None,
        )
        return self.one(seen)


class RequestList(PortalAPIView):
    """Approval requests, newest first."""

    needs = {"GET": Capability.REQUEST_READ}
    answer = {"GET": shapes.ApprovalRequestAnswer}
    query = shapes.RequestQuery
    lists = True

    def get(self, request: PortalAPIRequest) -> Response:
        asked = self.asked()
        reference = asked.get("organization")
        organization = tenants.organization(request.reach, reference) if reference else None
        found = requests.approval_requests(
            request.reach, organization_id=organization.id if organization else None, state=asked.get("state", "")
        )
        return self.listing(found, ("-created_at", "-id"))


class RequestDetail(PortalAPIView):
    """One approval request."""

    needs = {"GET": Capability.REQUEST_READ}
    answer = {"GET": shapes.ApprovalRequestAnswer}

    def get(self, request: PortalAPIRequest, request_id: str) -> Response:
        return self.one(requests.approval_request(request.reach, request_id))


class RequestApprove(PortalAPIView):
    """Deciding is making the rule."""

    needs = {"POST": Capability.REQUEST_DECIDE}
    body = {"POST": shapes.ApproveBody}
    answer = {"GET": shapes.PermittedAnswer}
    statuses = {"POST": 201}
    examples = {"POST": ({**_PERMIT_EXAMPLE, "rule": {"choose": "automatic"}, "tell_user": "Try again now."}, None)}

    def post(self, request: PortalAPIRequest, request_id: str) -> Response:
        """Approve: takes the body of `events/{id}/permit/`; everybody who asked for the file in the scope is told."""
        wanted = self.parsed()
        event = requests.event_of(requests.approval_request(request.reach, request_id))
        made = requests.approve_request(
            request.reach, request_id, permit=permit_from(event, wanted), answer=wanted.get("tell_user", "")
        )
        return self.one(made)


class RequestDeny(PortalAPIView):
    """Saying no."""

    needs = {"POST": Capability.REQUEST_DECIDE}
    body = {"POST": shapes.DenyBody}
    answer = {"GET": shapes.ApprovalRequestAnswer}
    examples = {"POST": ({"reason": "not for work", "tell_user": "Please use the company's tool."}, None)}

    def post(self, request: PortalAPIRequest, request_id: str) -> Response:
        """Deny: `tell_user` is what the person reads."""
        wanted = self.parsed()
        denied: ApprovalRequest = requests.deny_request(
            request.reach, request_id, reason=wanted.get("reason", ""), tell_user=wanted.get("tell_user", "")
        )
        return self.one(denied)


def permit_from(event: EventRow, wanted: dict[str, Any]) -> Permit:
    """The answers of a body. `true` for a condition means the event's own value."""
    application = wanted["application"]
    rule = wanted.get("rule") or {"choose": "automatic"}
    chosen: UUID | str = application["existing"] if "existing" in application else application["create"]["name"]
    return Permit(
        application=chosen,
        level=wanted["scope"]["level"],
        target=wanted["scope"]["target"],
        rule=None if "choose" in rule else RuleDraft(**{n: _condition(event, n, rule.get(n)) for n in RULE_FIELDS}),
        action=wanted.get("action", Action.PERMIT),
        ringfence=wanted.get("ringfence"),
        place=Placement(wanted.get("place", "bottom")),
        expires_at=wanted.get("expires_at"),
        reason=wanted.get("reason", ""),
        ticket=wanted.get("ticket", ""),
        deploy=wanted.get("deploy", "none"),
    )


def _condition(event: EventRow, name: str, value: Any) -> str:
    if value is True:
        return own_value(event, name)
    return value if isinstance(value, str) else ""
