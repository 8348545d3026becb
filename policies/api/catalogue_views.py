"""REST views of the built-in catalogue's updates."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from policies.builtin import updates
from policies.builtin.differences import Difference, differences
from policies.builtin.impact import OrganizationImpact, impact
from policies.builtin.schema import CatalogueError
from policies.models import CatalogueUpdate, UpdateState
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.serializers import InstantField, StrictSerializer
from portal.common.api.views import PortalAPIView
from portal.common.errors import Refused
from portal.tenants.capabilities import Capability

_READ, _WRITE = Capability.APPLICATION_READ, Capability.APPLICATION_WRITE
_NEWEST_FIRST = ("-created_at", "-id")


class UpdateAnswer(serializers.Serializer[Any]):
    """One update of the catalogue, without what it brings."""

    id = serializers.UUIDField()
    origin = serializers.ChoiceField(choices=CatalogueUpdate.Source.choices, source="source")
    serial = serializers.IntegerField()
    sha256 = serializers.CharField()
    key_id = serializers.CharField()
    state = serializers.ChoiceField(choices=UpdateState.choices)
    issued_at = InstantField(allow_null=True)
    created_at = InstantField()
    decided_at = InstantField(allow_null=True)
    decided_by = serializers.CharField()
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    retired = serializers.IntegerField()


class EntryRuleAnswer(serializers.Serializer[Any]):
    hash = serializers.CharField()
    path = serializers.CharField()
    process = serializers.CharField()
    created_by = serializers.CharField()
    certificate = serializers.CharField()
    note = serializers.CharField()


class DifferenceAnswer(serializers.Serializer[Any]):
    """What changes in one application. `fields`: their labels."""

    key = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=("new", "changed", "retired"))
    application = serializers.UUIDField(allow_null=True)
    version_before = serializers.IntegerField()
    version_after = serializers.IntegerField()
    changed_fields = serializers.SerializerMethodField()
    added = EntryRuleAnswer(many=True)
    removed = EntryRuleAnswer(many=True)

    def get_changed_fields(self, one: Difference) -> list[str]:
        return [label for label, *_ in one.fields]


class ImpactAnswer(serializers.Serializer[Any]):
    """What an update means for one organization."""

    organization = serializers.UUIDField(source="organization.id")
    organization_name = serializers.CharField(source="organization.name")
    computers = serializers.IntegerField()
    policies = serializers.SerializerMethodField()

    def get_policies(self, one: OrganizationImpact) -> list[str]:
        return [policy.name for policy, _ in one.policies]


class UpdateDetailAnswer(UpdateAnswer):
    """One update; while it waits also what it changes and whom it touches."""

    differences = DifferenceAnswer(many=True, source="found")
    impact = ImpactAnswer(many=True, source="touched")


class FeedBody(StrictSerializer):
    feed = serializers.CharField(help_text="The text of the feed's file.")


class NothingBody(StrictSerializer):
    """An empty object."""


class UpdateList(PortalAPIView):
    """Updates of the built-in catalogue, newest first."""

    needs = {"GET": _READ, "POST": _WRITE}
    body = {"POST": FeedBody}
    answer = {"GET": UpdateAnswer}
    lists = True

    def get(self, request: PortalAPIRequest) -> Response:
        return self.listing(updates.updates(request.reach), _NEWEST_FIRST)

    def post(self, request: PortalAPIRequest) -> Response:
        """Take in a signed feed; it waits until it is applied."""
        return self.one(updates.take_feed(request.reach, self.parsed()["feed"].encode()))


class UpdateDetail(PortalAPIView):
    """One update with what it changes and whom it touches."""

    needs = {"GET": _READ}
    answer = {"GET": UpdateDetailAnswer}

    def get(self, request: PortalAPIRequest, update_id: str) -> Response:
        row: Any = updates.update(request.reach, update_id)
        waits = row.state == UpdateState.WAITING
        try:
            row.found = differences(request.reach, updates.entries(request.reach, row.id)) if waits else []
        except CatalogueError as error:
            raise Refused(str(error), code="bad_feed") from error
        row.touched = impact(request.reach, row.found)
        return self.one(row)


class UpdateApply(PortalAPIView):
    """Apply an update."""

    needs = {"POST": _WRITE}
    body = {"POST": NothingBody}
    answer = {"GET": UpdateAnswer}
    statuses = {"POST": 200}

    def post(self, request: PortalAPIRequest, update_id: str) -> Response:
        """Make the built-in applications what it says; organizations concerned get a pending change."""
        self.parsed()
        return self.one(updates.apply_update(request.reach, update_id))


class UpdateDiscard(PortalAPIView):
    """Discard an update."""

    needs = {"POST": _WRITE}
    body = {"POST": NothingBody}
    answer = {"GET": UpdateAnswer}
    statuses = {"POST": 200}

    def post(self, request: PortalAPIRequest, update_id: str) -> Response:
        """Leave the built-in applications as they are."""
        self.parsed()
        return self.one(updates.discard_update(request.reach, update_id))
