"""Shapes of policies, agent settings, modes and pending changes in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.api.shapes import ScopeAnswer, WindowBody
from policies.models import Action, Change, Kind, Level, Policy, Status
from policies.names import name_warning
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer
from portal.tenants.models import Mode


class PolicyAnswer(serializers.Serializer[Policy]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    name = serializers.CharField()
    name_warning = serializers.SerializerMethodField(help_text="Why the name breaks the convention, or empty.")
    description = serializers.CharField()
    scope = ScopeAnswer(source="*")
    kind = serializers.ChoiceField(choices=Kind.choices)
    applications = serializers.SerializerMethodField()
    application_names = serializers.SerializerMethodField()
    action = serializers.ChoiceField(choices=Action.choices)
    status = serializers.ChoiceField(choices=Status.choices)
    enabled = serializers.BooleanField()
    starts_at = InstantField(allow_null=True)
    expires_at = InstantField(allow_null=True)
    schedule = WindowBody(many=True)
    users = serializers.ListField(child=serializers.CharField())
    allow_request = serializers.BooleanField()
    kill_running = serializers.BooleanField()
    notify = serializers.ListField(
        child=serializers.EmailField(),
        help_text="Told when it stops something. Empty for a policy of an organization out of reach.",
    )
    armed_until = InstantField(allow_null=True, help_text="Disabled, and on until then. Set by arm/.")
    log = serializers.BooleanField()
    ringfence = serializers.JSONField(allow_null=True)
    order = serializers.IntegerField(help_text="Lower wins.")
    is_default = serializers.BooleanField(help_text="The group's Default Deny.")
    owner = serializers.CharField()
    reason = serializers.CharField()
    ticket = serializers.CharField()
    last_matched_at = InstantField(
        allow_null=True, help_text="null without a match, and for a policy of an organization out of reach."
    )
    created_at = InstantField()
    created_by = serializers.CharField()
    changed_at = InstantField()
    changed_by = serializers.CharField()

    def to_representation(self, instance: Policy) -> Any:
        """Of a policy from above, what it decides here; not whom its own organization tells of it, nor when it last
        decided anywhere."""
        told = super().to_representation(instance)
        if not self.context["request"].reach.sees(instance.organization_id):
            told["notify"], told["last_matched_at"] = [], None
        return told

    def get_name_warning(self, policy: Policy) -> str:
        return "" if policy.is_default else name_warning(policy.name, Level(policy.level))

    def get_applications(self, policy: Policy) -> list[str]:
        return [str(application.id) for application in policy.named_applications]

    def get_application_names(self, policy: Policy) -> list[str]:
        return [application.name for application in policy.named_applications]


class ModeAnswer(serializers.Serializer[Any]):
    """The mode of a computer or group now; secured has neither end nor reason."""

    mode = serializers.ChoiceField(choices=Mode.choices)
    ends_at = InstantField(allow_null=True)
    started_at = InstantField(source="window.started_at", default=None, allow_null=True)
    started_by = serializers.CharField(source="window.started_by", default="")
    application = serializers.UUIDField(source="window.application_id", default=None, allow_null=True)
    reason = serializers.CharField(source="window.reason", default="")
    ticket = serializers.CharField(source="window.ticket", default="")


class ModeBody(StrictSerializer):
    mode = serializers.ChoiceField(choices=Mode.choices)
    ends_at = InstantField(required=False, allow_null=True, help_text="Needed for learning and installation.")
    application = serializers.UUIDField(required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    ticket = serializers.CharField(required=False, allow_blank=True, max_length=120)


class ChangeScope(serializers.Serializer[Any]):
    level = serializers.ChoiceField(choices=Level.choices)
    target = serializers.UUIDField()


class ChangeAnswer(serializers.Serializer[Change]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    scope = ChangeScope(source="*", help_text="Whose bundles change.")
    verb = serializers.CharField()
    summary = serializers.CharField()
    object_type = serializers.CharField()
    object = serializers.UUIDField(source="object_id")
    actor = serializers.CharField(source="actor_id")
    actor_name = serializers.CharField()
    created_at = InstantField()


class ChangeQuery(QuerySerializer):
    organization = ReferenceField(required=False)
