"""Shapes of install keys and deployments in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agents.install_keys import closed_reason
from agents.models import Deployment, DeploymentTarget, InstallKey
from agents.models.deployments import DeploymentState, TargetState
from agents.queries import FILTERS, Progress
from policies.api.shapes import ScopeAnswer, ScopeBody
from portal.common import clock
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer


class InstallKeyAnswer(serializers.Serializer[Any]):
    """An install key without its secret. `state`: open, used_up, expired or revoked."""

    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    group = serializers.UUIDField(source="group_id")
    group_name = serializers.CharField(source="group.name")
    reference = serializers.CharField(help_text="The part of the key before its dot.")
    state = serializers.SerializerMethodField()
    expires_at = InstantField()
    max_uses = serializers.IntegerField(allow_null=True)
    uses = serializers.IntegerField()
    created_by = serializers.CharField()
    created_at = InstantField()
    last_used_at = InstantField(allow_null=True)
    revoked_at = InstantField(allow_null=True)

    def get_state(self, key: InstallKey) -> str:
        return closed_reason(key, clock.now()) or "open"


class NewInstallKeyAnswer(InstallKeyAnswer):
    secret = serializers.CharField(help_text="The whole key. It is in this answer only.")
    install_command = serializers.CharField(help_text="Run as root on a Linux computer.")


class InstallKeyBody(StrictSerializer):
    group = ReferenceField(help_text="Id or slug of a group that is not global.")
    expires_at = InstantField(required=False, help_text="At most 90 days from now; 14 days unless given.")
    max_uses = serializers.IntegerField(required=False, allow_null=True, min_value=1, help_text="Null: no limit.")


class InstallKeyQuery(QuerySerializer):
    group = ReferenceField(required=False)


class ComputerCounts(serializers.Serializer[Any]):
    """`pending`: not built or not fetched yet; `running`: acknowledged by the computer itself; `offline`: no answer
    until the deadline."""

    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    delivered = serializers.IntegerField()
    running = serializers.IntegerField()
    failed = serializers.IntegerField()
    offline = serializers.IntegerField()
    superseded = serializers.IntegerField()
    cancelled = serializers.IntegerField()


def counts_of(progress: Progress) -> dict[str, int]:
    """Progress under the names of the API."""
    return {
        "total": progress.total,
        "pending": progress.of(TargetState.PENDING, TargetState.BUILT),
        "delivered": progress.of(TargetState.OFFERED),
        "running": progress.live,
        "failed": progress.refused,
        "offline": progress.unreachable,
        "superseded": progress.of(TargetState.SUPERSEDED),
        "cancelled": progress.of(TargetState.CANCELLED),
    }


class DeploymentAnswer(serializers.Serializer[Any]):
    """One press of Deploy Policies. Needs `progress` (deployment id -> Progress) in its context."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    scope = ScopeAnswer(source="*")
    state = serializers.ChoiceField(choices=DeploymentState.choices)
    computers = serializers.SerializerMethodField()
    note = serializers.CharField()
    created_by = serializers.CharField(source="actor_name")
    started_at = InstantField()
    deadline_at = InstantField()
    finished_at = InstantField(allow_null=True)
    cancelled_at = InstantField(allow_null=True)
    superseded_by = serializers.UUIDField(source="superseded_by_id", allow_null=True)
    restores = serializers.UUIDField(source="restores_id", allow_null=True, help_text="The deployment rolled back.")

    def get_computers(self, deployment: Deployment) -> ComputerCounts:
        progress: dict[Any, Progress] = self.context["progress"]
        return counts_of(progress.get(deployment.id, Progress()))  # type: ignore[return-value]


class DeploymentBody(StrictSerializer):
    scope = ScopeBody()
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)
    override = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500,
        help_text="Why computers may be locked out of what they need; told in the System Audit.",
    )


class DeploymentQuery(QuerySerializer):
    organization = ReferenceField(required=False, help_text="Started there, or with a computer of it.")


class RollbackBody(StrictSerializer):
    note = serializers.CharField(required=False, allow_blank=True, max_length=500)


class NothingBody(StrictSerializer):
    """An empty object."""


class DeploymentComputerAnswer(serializers.Serializer[Any]):
    """What became of one computer. `acknowledged_at`: when it said itself that it runs the bundle."""

    computer = serializers.UUIDField(source="computer_id")
    computer_name = serializers.CharField(source="computer.name")
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    state = serializers.ChoiceField(choices=TargetState.choices)
    bundle_version = serializers.IntegerField(source="manifest.version", default=None, allow_null=True)
    bundle_sha256 = serializers.CharField(source="manifest.sha256", default=None, allow_null=True)
    offered_at = InstantField(allow_null=True)
    acknowledged_at = serializers.SerializerMethodField()
    attempt = serializers.IntegerField()
    error = serializers.CharField(source="reason")

    def get_acknowledged_at(self, target: DeploymentTarget) -> str | None:
        if target.state != TargetState.APPLIED or target.finished_at is None:
            return None
        return str(InstantField().to_representation(target.finished_at))


class DeploymentComputerQuery(QuerySerializer):
    show = serializers.ChoiceField(choices=sorted(FILTERS), required=False)
