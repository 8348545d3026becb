"""REST views of tidying applications. With `dry_run=true` each answers what it would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rest_framework.response import Response

from policies import queries
from policies.api import upkeep_shapes as shapes
from policies.catalogue import RuleDraft
from policies.models import Application, UndoStep
from policies.upkeep import certificates, collapse, merging, splitting
from policies.upkeep.reviewing import Wanted
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.common.errors import Refused
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE


@dataclass(frozen=True, slots=True)
class Done:
    """What was shown beforehand, and the step; no step when nothing was kept."""

    plan: Any
    step: UndoStep | None = None
    application: UUID | None = None
    unchanged: bool = True


class ApplicationMerge(PortalAPIView):
    """Merge applications into one of them."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.MergeBody}
    answer = {"POST": shapes.MergeAnswer}
    examples = {
        "POST": (
            {
                "applications": ["0190b0a0-0000-7000-8000-00000000000a", "0190b0a0-0000-7000-8000-00000000000b"],
                "survivor": "0190b0a0-0000-7000-8000-00000000000a",
            },
            None,
        )
    }

    def post(self, request: PortalAPIRequest) -> Response:
        """Rules move to the survivor once each, policies name it in the place of the others, the others are deleted.

        The answer tells which policies match more than before. One step, undoable.
        """
        wanted = self.parsed()
        ids, survivor = wanted["applications"], wanted["survivor"]
        owner = _owner(queries.application(request.reach, survivor))
        plan = merging.plan_merge(request.reach, owner, ids, survivor=survivor)
        step = merging.merge_applications(request.reach, owner, ids, survivor=survivor, seen=wanted.get("seen", ""))
        return Response(self.represent(Done(plan, _kept(request, step))))


class ApplicationSplit(PortalAPIView):
    """Split some rules of an application off as a new one."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.SplitBody}
    answer = {"POST": shapes.SplitAnswer}

    def post(self, request: PortalAPIRequest, application_id: str) -> Response:
        """With all policies (none named) nothing that runs changes. One step, undoable."""
        found = queries.application(request.reach, application_id)
        wanted, owner = self.parsed(), _owner(found)
        asked: dict[str, Any] = {"rule_ids": wanted["rules"], "policy_ids": wanted.get("policies")}
        plan = splitting.plan_split(request.reach, owner, found.id, **asked)
        done = splitting.split_application(
            request.reach, owner, found.id, name=wanted["name"], seen=wanted.get("seen", ""), **asked
        )
        made = None if request.dry_run else done.application.id
        return Response(self.represent(Done(plan, _kept(request, done.step), made, done.unchanged)))


class ApplicationCollapse(PortalAPIView):
    """Rules that can stand in the place of an application's hashes."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.CollapseBody}
    answer = {"GET": shapes.CollapseAnswer}

    def get(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Proposals from what the Unified Audit saw of exactly these hashes. Needs audit:read there too."""
        found = queries.application(request.reach, application_id)
        return Response(self.represent(Done(collapse.propose(request.reach, _owner(found), found.id))))

    def post(self, request: PortalAPIRequest, application_id: str) -> Response:
        """Put rules in the place of every hash that they cover wholly. One step, undoable."""
        found = queries.application(request.reach, application_id)
        wanted, owner = self.parsed(), _owner(found)
        rules = [RuleDraft(**rule) for rule in wanted["rules"]]
        plan = collapse.review(request.reach, owner, found.id, [Wanted(rule) for rule in rules])
        step = collapse.collapse_hashes(request.reach, owner, found.id, rules=rules, seen=wanted.get("seen", ""))
        return Response(self.represent(Done(plan, _kept(request, step))))


class CertificateReplacement(PortalAPIView):
    """A vendor's new certificate in all rules of an organization's custom applications."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.CertificateBody}
    answer = {"POST": shapes.CertificateAnswer}
    examples = {
        "POST": (
            {
                "organization": "able-moose-accounting",
                "old": "CN=Contoso Ltd, O=Contoso Ltd, C=US",
                "new": "CN=Contoso Inc, O=Contoso Inc, C=US",
                "how": "beside",
            },
            None,
        )
    }

    def post(self, request: PortalAPIRequest) -> Response:
        """Beside the old one (both are accepted), or in its place. One step, undoable."""
        wanted = self.parsed()
        organization = tenants.organization(request.reach, wanted.pop("organization"))
        seen = wanted.pop("seen", "")
        asked: dict[str, Any] = {"how": "beside", **wanted}
        plan = certificates.plan_replacement(request.reach, organization.id, **asked)
        step = certificates.replace_certificate(request.reach, organization.id, seen=seen, **asked)
        return Response(self.represent(Done(plan, _kept(request, step))))


def _owner(application: Application) -> UUID:
    """The organization whose application it is. Raises Refused for a built-in one."""
    if application.organization_id is None:
        raise Refused(f"{application.name} is built in and follows the catalogue: it stays as it is.")
    return application.organization_id


def _kept(request: PortalAPIRequest, step: UndoStep) -> UndoStep | None:
    return None if request.dry_run else step
