"""REST views of applications: the list, one, its copy, its file, and what rules would match."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django.urls import reverse
from rest_framework.response import Response

from policies import catalogue, linting, portable, queries
from policies.api import application_shapes as shapes
from policies.api.finding_views import with_warnings
from policies.application_list import ApplicationTerms, applications_listed
from policies.application_page import sightings
from policies.application_rows import application_rows
from policies.catalogue import RuleDraft
from policies.duplicating import duplicate_application
from policies.models import Application
from policies.previews import MatchPreview, match_preview
from policies.strength import strength
from portal.common.api.listing import page_of
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability
from portal.tenants.models import Organization
from portal.tenants.reach import Reach

EXAMPLE_RULE = {
    "path": r"regex:c:\\windows\\temp\\acmermm\\[0-9a-f]{10}\.ps1",
    "created_by": r"c:\program files\acmermm\acme_agent.exe",
    "note": "nightly inventory",
}
_VOLATILE = frozenset(
    {"policy_count", "policies_by_scope", "matches_30d", "last_matched_at", "computers_30d", "findings"}
)
_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE


class ApplicationList(PortalAPIView):
    """Applications: built-in ones, those in reach and those of organizations above, by name unless sorted."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.ApplicationBody}
    answer = {"GET": shapes.ApplicationAnswer, "POST": shapes.ApplicationDetailAnswer}
    query = shapes.ApplicationQuery
    lists = True
    volatile = _VOLATILE
    examples = {
        "POST": (
            {
                "organization": "able-moose-accounting",
                "name": "Acme RMM scripts",
                "os": "windows",
                "rules": [EXAMPLE_RULE],
            },
            None,
        )
    }

    def context_for(self, request: PortalAPIRequest, thing: Any) -> Mapping[str, Any]:
        return rows_of(request.reach, None, [thing])

    def get(self, request: PortalAPIRequest) -> Response:
        asked = self.asked()
        organization = _organization(request.reach, asked.get("organization"))
        terms = ApplicationTerms.of(asked)
        found = applications_listed(request.reach, organization, terms)
        page = page_of(request, found, terms.order)
        return self.page(page, count=found.count, context=rows_of(request.reach, organization, page.rows))

    def post(self, request: PortalAPIRequest) -> Response:
        """Create a custom application with its rules."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted.pop("organization"))
        rules = [RuleDraft(**rule) for rule in wanted.pop("rules", [])]
        made = catalogue.create_application(request.reach, organization_id=organization.id, rules=rules, **wanted)
        location = reverse("api:application-detail", args=[made.id])
        answer = self.one(queries.application(request.reach, made.id), location=location)
        return with_warnings(request, answer, lambda: linting.findings_of_application(request.reach, made.id))


class ApplicationDetail(PortalAPIView):
    """One application with its rules."""

    needs = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}
    body = {"PATCH": shapes.ApplicationChange}
    answer = {"GET": shapes.ApplicationDetailAnswer}
    volatile = _VOLATILE

    def current(self, request: PortalAPIRequest, application_id: str) -> Application:
        return queries.application(request.reach, application_id)

    def context_for(self, request: PortalAPIRequest, thing: Any) -> Mapping[str, Any]:
        return rows_of(request.reach, None, [thing])

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        return self.one(self.current(request, application_id))

    def patch(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Change name, category, description, publisher or whether it is hidden. Built-in ones are read-only."""
        found = self.current(request, application_id)
        catalogue.update_application(request.reach, found.id, **self.parsed())
        return self.one(self.current(request, application_id))

    def delete(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Delete an application that no policy names."""
        catalogue.delete_application(request.reach, self.current(request, application_id).id)
        return self.gone()


class ApplicationDuplicate(PortalAPIView):
    """An own copy of an application: of a built-in one, of a parent's, or of one's own."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.DuplicateBody}
    answer = {"GET": shapes.ApplicationDetailAnswer, "POST": shapes.ApplicationDetailAnswer}
    volatile = _VOLATILE
    examples = {"POST": ({"organization": "able-moose-accounting", "name": "Zoom of our own"}, None)}

    def context_for(self, request: PortalAPIRequest, thing: Any) -> Mapping[str, Any]:
        return rows_of(request.reach, None, [thing])

    def post(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Copy it with all of its rules. Policies go on naming the original."""
        found = queries.application(request.reach, application_id)
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted["organization"])
        made = duplicate_application(
            request.reach, found.id, organization_id=organization.id, name=wanted.get("name", "")
        )
        location = reverse("api:application-detail", args=[made.id])
        return self.one(queries.application(request.reach, made.id), location=location)


class ApplicationPreview(PortalAPIView):
    """What was seen in the last 30 days that the rules of an application match."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.PreviewAnswer}
    query = shapes.PreviewQuery

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        organization = _organization(request.reach, self.asked().get("organization"))
        found = queries.application(request.reach, application_id)
        return Response(self.represent(_told(sightings(request.reach, organization, found), [])))


class RulesPreview(PortalAPIView):
    """What was seen in the last 30 days that some rules would match, before they are saved. Saves nothing."""

    needs = {"POST": _READ}
    body = {"POST": shapes.PreviewBody}
    answer = {"GET": shapes.PreviewAnswer, "POST": shapes.PreviewAnswer}
    statuses = {"POST": 200}
    examples = {"POST": ({"os": "windows", "rules": [EXAMPLE_RULE]}, None)}

    def post(self, request: PortalAPIRequest) -> Response:
        """Try rules. A pattern that cannot be used is refused with the place of the fault."""
        wanted = self.parsed()
        organization = _organization(request.reach, wanted.get("organization"))
        rules = catalogue.checked_rules([RuleDraft(**rule) for rule in wanted["rules"]], wanted["os"])
        seen = match_preview()(request.reach, wanted["os"], rules, organization)
        return Response(self.represent(_told(seen, [asdict(strength(rule, wanted["os"])) for rule in rules])))


class ApplicationExport(PortalAPIView):
    """One application as a file that `applications/import/` takes in."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.PortableFileAnswer}

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        found = queries.application(request.reach, application_id)
        return Response(self.represent(portable.exported(request.reach, [found])))


class ApplicationImport(PortalAPIView):
    """Take in a file of applications. With `?dry_run=true`: what would come in."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.PortableBody}
    answer = {"GET": shapes.PortableAnswer, "POST": shapes.PortableAnswer}

    def post(self, request: PortalAPIRequest) -> Response:
        """Create what comes in; what has faults or a taken name is left out and told."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted["organization"])
        text = json.dumps(wanted["file"])
        coming = portable.read_file(request.reach, organization, text)
        made = portable.import_applications(request.reach, organization, text)
        told = {"applications": coming, "created": [application.id for application in made]}
        return Response(self.represent(told), status=201)


def rows_of(reach: Reach, organization: Organization | None, applications: Any) -> dict[str, Any]:
    """What the answers need beside the applications' own columns."""
    return {"rows": {row.application.id: row for row in application_rows(reach, organization, applications)}}


def _organization(reach: Reach, reference: str | None) -> Organization | None:
    return tenants.organization(reach, reference) if reference else None


def _told(seen: MatchPreview, strengths: list[dict[str, Any]]) -> dict[str, Any]:
    return {**asdict(seen), "strengths": strengths}
