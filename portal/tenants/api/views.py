"""REST views of organizations, computer groups, computers and the System Audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from rest_framework.response import Response

from portal.common.api.listing import page_of
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries, searches
from portal.tenants.administration import computers as computer_writes
from portal.tenants.administration import groups as group_writes
from portal.tenants.administration import organizations as organization_writes
from portal.tenants.api import examples
from portal.tenants.api import serializers as shapes
from portal.tenants.capabilities import Capability
from portal.tenants.delivery import deliveries
from portal.tenants.models import Computer, ComputerGroup, Organization

BY_NAME = ("name", "id")


class OrganizationList(PortalAPIView):
    """Organizations in reach, by name."""

    needs = {"GET": Capability.ORGANIZATION_READ, "POST": Capability.ORGANIZATION_WRITE}
    body = {"POST": shapes.OrganizationBody}
    answer = {"GET": shapes.OrganizationAnswer}
    query = shapes.OrganizationQuery
    lists = True
    examples = {"POST": ({"name": "Able Moose Accounting", "parent": "northwind-it"}, examples.ORGANIZATION)}

    def get(self, request: PortalAPIRequest) -> Response:
        return self.listing(searches.organizations_matching(request.reach, **self.asked()), BY_NAME)

    def post(self, request: PortalAPIRequest) -> Response:
        """Create an organization beneath another one."""
        wanted = self.parsed()
        parent = queries.organization(request.reach, wanted.pop("parent"))
        made = organization_writes.create_organization(request.reach, parent_id=parent.id, **wanted)
        return self.one(made, location=reverse("api:organization-detail", args=[made.id]))


class OrganizationDetail(PortalAPIView):
    """One organization, by id or slug."""

    needs = {
        "GET": Capability.ORGANIZATION_READ,
        "PATCH": Capability.ORGANIZATION_WRITE,
        "DELETE": Capability.ORGANIZATION_WRITE,
    }
    body = {"PATCH": shapes.OrganizationChange}
    answer = {"GET": shapes.OrganizationAnswer}
    examples = {"GET": (None, examples.ORGANIZATION), "PATCH": ({"time_zone": "Europe/Vienna"}, examples.ORGANIZATION)}

    def current(self, request: PortalAPIRequest, reference: str) -> Organization:
        return queries.organization(request.reach, reference)

    def get(self, request: PortalAPIRequest, reference: str) -> Response:
        return self.one(self.current(request, reference))

    def patch(self, request: PortalAPIRequest, reference: str) -> Response:
        """Change name, slug, time zone or color."""
        found = self.current(request, reference)
        organization_writes.change_organization(request.reach, found.id, **self.parsed())
        return self.one(queries.organization(request.reach, found.id))

    def delete(self, request: PortalAPIRequest, reference: str) -> Response:
        """Delete an organization that holds nothing any more."""
        organization_writes.delete_organization(request.reach, self.current(request, reference).id)
        return self.gone()


class GroupList(PortalAPIView):
    """Computer groups in reach, and the global groups of organizations above, by name."""

    needs = {"GET": Capability.COMPUTER_READ, "POST": Capability.COMPUTER_WRITE}
    body = {"POST": shapes.GroupBody}
    answer = {"GET": shapes.GroupAnswer}
    query = shapes.GroupQuery
    lists = True
    examples = {"POST": ({"organization": "able-moose-accounting", "name": "Finance", "os": "windows"}, examples.GROUP)}

    def get(self, request: PortalAPIRequest) -> Response:
        return self.listing(searches.groups_matching(request.reach, **self.asked()), BY_NAME)

    def post(self, request: PortalAPIRequest) -> Response:
        """Create a computer group with its Default Deny."""
        wanted = self.parsed()
        organization = queries.organization(request.reach, wanted.pop("organization"))
        made = group_writes.create_group(request.reach, organization_id=organization.id, **wanted)
        return self.one(made, location=reverse("api:group-detail", args=[made.id]))


class GroupDetail(PortalAPIView):
    """One computer group, by id, or by its slug where only one group in reach has it."""

    needs = {
        "GET": Capability.COMPUTER_READ,
        "PATCH": Capability.COMPUTER_WRITE,
        "DELETE": Capability.COMPUTER_WRITE,
    }
    body = {"PATCH": shapes.GroupChange}
    answer = {"GET": shapes.GroupAnswer}
    examples = {"GET": (None, examples.GROUP), "PATCH": ({"initial_learning_days": 7}, examples.GROUP)}

    def current(self, request: PortalAPIRequest, reference: str) -> ComputerGroup:
        return queries.group(request.reach, reference)

    def get(self, request: PortalAPIRequest, reference: str) -> Response:
        return self.one(self.current(request, reference))

    def patch(self, request: PortalAPIRequest, reference: str) -> Response:
        """Change name, slug, prefix or the days of initial learning."""
        found = self.current(request, reference)
        group_writes.change_group(request.reach, found.id, **self.parsed())
        return self.one(queries.group(request.reach, found.id))

    def delete(self, request: PortalAPIRequest, reference: str) -> Response:
        """Delete a group that holds no computer."""
        group_writes.delete_group(request.reach, self.current(request, reference).id)
        return self.gone()


class ComputerList(PortalAPIView):
    """Computers in reach, by name, each with the bundle that it acknowledged."""

    needs = {"GET": Capability.COMPUTER_READ}
    answer = {"GET": shapes.ComputerAnswer}
    query = shapes.ComputerQuery
    lists = True

    def get(self, request: PortalAPIRequest) -> Response:
        rows = searches.computers_matching(request.reach, **self.asked())
        page = page_of(request, rows, BY_NAME)
        return self.page(page, count=rows.count, context=_running(request, page.rows))


class ComputerDetail(PortalAPIView):
    """One computer."""

    needs = {
        "GET": Capability.COMPUTER_READ,
        "PATCH": Capability.COMPUTER_WRITE,
        "DELETE": Capability.COMPUTER_WRITE,
    }
    body = {"PATCH": shapes.ComputerChange}
    answer = {"GET": shapes.ComputerAnswer}
    examples = {"GET": (None, examples.COMPUTER), "PATCH": ({"group": "sales"}, examples.COMPUTER)}
    volatile = frozenset({"last_seen_at", "last_user", "agent_version", "bundle_version", "bundle_sha256", "in_sync"})

    def current(self, request: PortalAPIRequest, computer_id: str) -> Computer:
        return queries.computer(request.reach, computer_id)

    def context_for(self, request: PortalAPIRequest, thing: Any) -> dict[str, Any]:
        return _running(request, [thing])

    def get(self, request: PortalAPIRequest, computer_id: str) -> Response:
        return self.one(self.current(request, computer_id))

    def patch(self, request: PortalAPIRequest, computer_id: str) -> Response:
        """Move a computer to another group of its organization."""
        wanted = self.parsed()
        if "group" not in wanted:
            return self.one(self.current(request, computer_id))
        group = queries.group(request.reach, wanted["group"])
        return self.one(computer_writes.move_computer(request.reach, computer_id, group_id=group.id))

    def delete(self, request: PortalAPIRequest, computer_id: str) -> Response:
        """Forget a computer. Its agent is refused from now on; its audit rows stay."""
        computer_writes.delete_computer(request.reach, computer_id)
        return self.gone()


class EntryList(PortalAPIView):
    """The System Audit: who did what in the portal, newest first."""

    needs = {"GET": Capability.JOURNAL_READ}
    answer = {"GET": shapes.EntryAnswer}
    query = shapes.EntryQuery
    lists = True

    def get(self, request: PortalAPIRequest) -> Response:
        return self.listing(searches.entries_matching(request.reach, **self.asked()), ("-at", "-id"))


class Verification(PortalAPIView):
    """Recomputes the hash chain of each organization's System Audit and names the first entry that is wrong."""

    needs = {"GET": Capability.JOURNAL_READ}
    answer = {"GET": shapes.VerificationAnswer}
    query = shapes.VerificationQuery

    def get(self, request: PortalAPIRequest) -> Response:
        found = searches.verifications(request.reach, **self.asked())
        whole = all(v.whole for v in found)
        return Response({"whole": whole, "results": self.represent(found, many=True)})


def _running(request: PortalAPIRequest, computers: Sequence[Computer]) -> dict[str, Any]:
    return {"running": deliveries(request.reach, computers)}
