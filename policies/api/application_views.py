"""REST views of applications and their file rules."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse
from rest_framework.response import Response

from policies import catalogue, queries
from policies.api import serializers as shapes
from policies.catalogue import RuleDraft
from policies.models import Application, FileRule
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_RULE = {
    "path": r"regex:c:\\windows\\temp\\acmermm\\[0-9a-f]{10}\.ps1",
    "created_by": r"c:\program files\acmermm\acme_agent.exe",
    "note": "nightly inventory",
}
_VOLATILE = frozenset({"policy_count"})
_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE


class ApplicationList(PortalAPIView):
    """Applications: built-in ones, those in reach and those of organizations above, by name."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.ApplicationBody}
    answer = {"GET": shapes.ApplicationAnswer, "POST": shapes.ApplicationDetailAnswer}
    query = shapes.ApplicationQuery
    lists = True
    volatile = _VOLATILE
    examples = {
        "POST": (
            {"organization": "able-moose-accounting", "name": "Acme RMM scripts", "os": "windows", "rules": [_RULE]},
            None,
        )
    }

    def get(self, request: PortalAPIRequest) -> Response:
        return self.listing(queries.applications_listed(request.reach, **self.asked()), ("name", "id"))

    def post(self, request: PortalAPIRequest) -> Response:
        """Create a custom application with its rules."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted.pop("organization"))
        rules = [RuleDraft(**rule) for rule in wanted.pop("rules", [])]
        made = catalogue.create_application(request.reach, organization_id=organization.id, rules=rules, **wanted)
        location = reverse("api:application-detail", args=[made.id])
        return self.one(queries.application(request.reach, made.id), location=location)


class ApplicationDetail(PortalAPIView):
    """One application with its rules."""

    needs = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}
    body = {"PATCH": shapes.ApplicationChange}
    answer = {"GET": shapes.ApplicationDetailAnswer}
    volatile = _VOLATILE

    def current(self, request: PortalAPIRequest, application_id: str) -> Application:
        return queries.application(request.reach, application_id)

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        return self.one(self.current(request, application_id))

    def patch(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Change name, description, publisher or whether it is hidden. Built-in ones are read-only."""
        found = self.current(request, application_id)
        catalogue.update_application(request.reach, found.id, **self.parsed())
        return self.one(self.current(request, application_id))

    def delete(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Delete an application that no policy names."""
        catalogue.delete_application(request.reach, self.current(request, application_id).id)
        return self.gone()


class RuleList(PortalAPIView):
    """The file rules of one application, by position. A file belongs to it when any rule matches."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.RuleBody}
    answer = {"GET": shapes.RuleAnswer}
    lists = True
    examples = {"POST": (_RULE, None)}

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        found = queries.application(request.reach, application_id)
        return self.listing(queries.rules_of(request.reach, found.id), ("position", "id"))

    def post(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Add a rule. A pattern that cannot be used is refused with the place of the fault."""
        found = queries.application(request.reach, application_id)
        made = catalogue.add_file_rule(request.reach, found.id, rule=RuleDraft(**self.parsed()))
        return self.one(made, location=reverse("api:rule-detail", args=[found.id, made.id]))


class RuleDetail(PortalAPIView):
    """One file rule."""

    needs = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}
    body = {"PATCH": shapes.RuleBody}
    answer = {"GET": shapes.RuleAnswer}

    def current(self, request: PortalAPIRequest, application_id: str, rule_id: str) -> FileRule:
        return queries.file_rule(request.reach, application_id, rule_id)

    def get(self, request: PortalAPIRequest, application_id: str, rule_id: str) -> Response:
        return self.one(self.current(request, application_id, rule_id))

    def patch(self, request: PortalAPIRequest, application_id: str, rule_id: str) -> Response:
        """Change conditions or note; what is left out stays."""
        found = self.current(request, application_id, rule_id)
        draft = catalogue.changed_rule(found, self.parsed())
        catalogue.update_file_rule(request.reach, UUID(application_id), found.id, rule=draft)
        return self.one(self.current(request, application_id, rule_id))

    def delete(self, request: PortalAPIRequest, application_id: str, rule_id: str) -> Response:
        """Delete the rule."""
        found = self.current(request, application_id, rule_id)
        catalogue.delete_file_rule(request.reach, found.application_id, found.id)
        return self.gone()
