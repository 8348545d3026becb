"""REST views of the file rules of an application."""

from __future__ import annotations

from uuid import UUID

from django.urls import reverse
from rest_framework.response import Response

from policies import catalogue, linting, queries, rule_lists
from policies.api import application_shapes as shapes
from policies.api.application_views import EXAMPLE_RULE
from policies.api.finding_views import with_warnings
from policies.catalogue import RuleDraft
from policies.models import FileRule
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE


class RuleList(PortalAPIView):
    """The file rules of one application, by position. A file belongs to it when any rule matches."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.RuleBody}
    answer = {"GET": shapes.RuleAnswer}
    lists = True
    examples = {"POST": (EXAMPLE_RULE, None)}

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        found = queries.application(request.reach, application_id)
        return self.listing(queries.rules_of(request.reach, found.id), ("position", "id"))

    def post(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Add a rule. A pattern that cannot be used is refused with the place of the fault."""
        found = queries.application(request.reach, application_id)
        rule = RuleDraft(**self.parsed())
        made = catalogue.add_file_rule(request.reach, found.id, rule=rule)
        answer = self.one(made, location=reverse("api:rule-detail", args=[found.id, made.id]))
        return with_warnings(
            request, answer, lambda: linting.check_rule_draft(request.reach, found, rule, rule_id=made.id)
        )


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


class RuleBulk(PortalAPIView):
    """Many rules at once: all of them or none."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.BulkRulesBody}
    answer = {"GET": shapes.BulkRulesAnswer, "POST": shapes.BulkRulesAnswer}
    statuses = {"POST": 200}
    examples = {"POST": ({"rules": [{"hash": "0" * 64, "note": "setup 4.2"}, {"hash": "1" * 64}]}, None)}

    def post(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Add them at the end. Rules that are there already are counted, not added."""
        found = queries.application(request.reach, application_id)
        rules = [RuleDraft(**rule) for rule in self.parsed()["rules"]]
        done = rule_lists.add_file_rules(request.reach, found.id, rules=rules)
        return Response(self.represent(done))
