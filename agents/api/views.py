"""REST views of install keys and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.urls import reverse
from rest_framework.response import Response

from agents import deploy, install_keys, queries
from agents.api import serializers as shapes
from agents.models import Deployment, InstallKey
from agents.views.install_keys import install_command
from portal.common.api.listing import page_of
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.views import PortalAPIView
from portal.tenants import queries as tenants
from portal.tenants.capabilities import Capability

_KEYS = Capability.INSTALL_KEY_WRITE
_READ, _WRITE = Capability.DEPLOYMENT_READ, Capability.DEPLOYMENT_WRITE
_VOLATILE = frozenset({"computers", "state", "finished_at"})


class InstallKeyList(PortalAPIView):
    """Install keys, newest first; closed ones too."""

    needs = {"GET": _KEYS, "POST": _KEYS}
    body = {"POST": shapes.InstallKeyBody}
    answer = {"GET": shapes.InstallKeyAnswer, "POST": shapes.NewInstallKeyAnswer}
    query = shapes.InstallKeyQuery
    lists = True
    examples = {"POST": ({"group": "finance", "max_uses": 25}, None)}

    def get(self, request: PortalAPIRequest) -> Response:
        reference = self.asked().get("group", "")
        group_id = tenants.group(request.reach, reference).id if reference else None
        rows = install_keys.install_keys(request.reach, group_id=group_id)
        return self.listing(rows, ("-created_at", "-id"))

    def post(self, request: PortalAPIRequest) -> Response:
        """Make an install key. Its secret is in this answer and never again."""
        wanted = self.parsed()
        group = tenants.group(request.reach, wanted.pop("group"))
        made = install_keys.create_install_key(request.reach, group_id=group.id, **wanted)
        key: Any = install_keys.install_key(request.reach, made.key.id)
        key.secret, key.install_command = made.secret, install_command(made.secret)
        return self.one(key, location=reverse("api:install-key-detail", args=[key.id]))


class InstallKeyDetail(PortalAPIView):
    """One install key."""

    needs = {"GET": _KEYS, "DELETE": _KEYS}
    answer = {"GET": shapes.InstallKeyAnswer}
    volatile = frozenset({"uses", "last_used_at", "state"})

    def current(self, request: PortalAPIRequest, key_id: str) -> InstallKey:
        return install_keys.install_key(request.reach, tenants.as_uuid(key_id))

    def get(self, request: PortalAPIRequest, key_id: str) -> Response:
        return self.one(self.current(request, key_id))

    def delete(self, request: PortalAPIRequest, key_id: str) -> Response:
        """Revoke the key: nobody enrolls with it any more; enrolled computers stay."""
        install_keys.revoke_install_key(request.reach, self.current(request, key_id).id)
        return self.gone()


class InstallKeyRevoke(PortalAPIView):
    """The same as DELETE, answered with the key."""

    needs = {"POST": _KEYS}
    body = {"POST": shapes.NothingBody}
    answer = {"GET": shapes.InstallKeyAnswer}
    volatile = InstallKeyDetail.volatile

    def current(self, request: PortalAPIRequest, key_id: str) -> InstallKey:
        return install_keys.install_key(request.reach, tenants.as_uuid(key_id))

    def post(self, request: PortalAPIRequest, key_id: str) -> Response:
        """Revoke the key: nobody enrolls with it any more; enrolled computers stay."""
        self.parsed()
        install_keys.revoke_install_key(request.reach, self.current(request, key_id).id)
        return self.one(self.current(request, key_id))


class _DeploymentView(PortalAPIView):
    """What the views of one deployment share."""

    volatile = _VOLATILE

    def current(self, request: PortalAPIRequest, deployment_id: str) -> Deployment:
        return queries.deployment(request.reach, tenants.as_uuid(deployment_id))

    def context_for(self, request: PortalAPIRequest, thing: Any) -> Mapping[str, Any]:
        return {"progress": queries.progress_of_each(request.reach, [thing.id])}

    def shown(self, request: PortalAPIRequest, deployment_id: UUID, *, location: str = "") -> Response:
        return self.one(queries.deployment(request.reach, deployment_id), location=location)


class DeploymentList(_DeploymentView):
    """Deployments in reach, newest first."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": shapes.DeploymentBody}
    answer = {"GET": shapes.DeploymentAnswer}
    query = shapes.DeploymentQuery
    lists = True
    examples = {"POST": ({"scope": {"level": "group", "target": "finance"}, "note": "month end"}, None)}

    def get(self, request: PortalAPIRequest) -> Response:
        reference = self.asked().get("organization", "")
        organization_id = tenants.organization(request.reach, reference).id if reference else None
        rows = queries.deployments(request.reach, organization_id)
        page = page_of(request, rows, queries.NEWEST_FIRST)
        progress = queries.progress_of_each(request.reach, [d.id for d in page.rows])
        return self.page(page, count=rows.count, context={"progress": progress})

    def post(self, request: PortalAPIRequest) -> Response:
        """Deploy Policies: send what is saved to every enrolled computer of the scope."""
        wanted = self.parsed()
        made = deploy.start_deployment(
            request.reach,
            level=wanted["scope"]["level"],
            target_id=wanted["scope"]["target"],
            note=wanted.get("note", ""),
            override=wanted.get("override", ""),
        )
        return self.shown(request, made.id, location=reverse("api:deployment-detail", args=[made.id]))


class DeploymentDetail(_DeploymentView):
    """One deployment with its numbers, counted from the computers' own acknowledgements."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.DeploymentAnswer}

    def get(self, request: PortalAPIRequest, deployment_id: str) -> Response:
        return self.one(self.current(request, deployment_id))


class DeploymentCancel(_DeploymentView):
    """Stop sending."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.NothingBody}
    answer = {"GET": shapes.DeploymentAnswer}

    def post(self, request: PortalAPIRequest, deployment_id: str) -> Response:
        """Send nothing more. What was sent already cannot be called back and ends as it ends."""
        self.parsed()
        done = deploy.cancel_deployment(request.reach, self.current(request, deployment_id).id)
        return self.shown(request, done.id)


class DeploymentRollback(_DeploymentView):
    """Back to what the computers ran before."""

    needs = {"POST": _WRITE}
    body = {"POST": shapes.RollbackBody}
    answer = {"GET": shapes.DeploymentAnswer}
    statuses = {"POST": 201}
    examples = {"POST": ({"note": "broke the month end"}, None)}

    def post(self, request: PortalAPIRequest, deployment_id: str) -> Response:
        """Give every computer the content it ran before, as a new deployment, which is answered."""
        note = self.parsed().get("note", "")
        made = deploy.roll_back_deployment(request.reach, self.current(request, deployment_id).id, note=note)
        return self.shown(request, made.id, location=reverse("api:deployment-detail", args=[made.id]))


class DeploymentComputers(PortalAPIView):
    """The computers of one deployment, those that need attention first."""

    needs = {"GET": _READ}
    answer = {"GET": shapes.DeploymentComputerAnswer}
    query = shapes.DeploymentComputerQuery
    lists = True

    def get(self, request: PortalAPIRequest, deployment_id: str) -> Response:
        found = queries.deployment(request.reach, tenants.as_uuid(deployment_id))
        states = queries.FILTERS.get(self.asked().get("show", ""))
        return self.listing(queries.targets(request.reach, found.id, states=states), queries.BY_ATTENTION)
