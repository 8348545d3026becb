"""Shapes of the policies list in the REST API: its filters, moves, changes of many, and steps that can be undone."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.api.serializers import PolicyAnswer
from policies.bulk import MOST_AT_ONCE
from policies.models import Action, Level, Status, UndoStep
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer


class PolicyQuery(QuerySerializer):
    organization = ReferenceField(required=False, help_text="Its policies and the global ones above it.")
    scope = serializers.ChoiceField(choices=Level.choices, required=False)
    target = ReferenceField(required=False, help_text="Id or slug of what the scope is about.")
    effective_for = ReferenceField(required=False, help_text="Everything that applies to this computer.")
    effective_in = ReferenceField(required=False, help_text="Everything that applies in this group.")
    application = ReferenceField(required=False, help_text="Policies that name this application.")
    include_disabled = serializers.BooleanField(required=False, help_text="Disabled and expired ones too.")
    q = serializers.CharField(required=False, max_length=120, help_text="Name, or an application's name, contains.")
    action = serializers.ChoiceField(choices=Action.choices, required=False)
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    ringfence = serializers.ChoiceField(choices=("yes", "no"), required=False)
    matched = serializers.ChoiceField(
        choices=("unused", "never"), required=False, help_text="unused: older than six weeks, no match since."
    )
    expiring = serializers.BooleanField(required=False, help_text="Within 14 days.")
    mine = serializers.BooleanField(required=False, help_text="Owned or created by the caller.")
    armed = serializers.BooleanField(required=False, help_text="Disabled, and on for a while.")


class MoveBody(StrictSerializer):
    """Exactly one of place, before, after and order. `seen_order`: 409 when somebody moved it since."""

    place = serializers.ChoiceField(choices=("top", "bottom"), required=False)
    before = serializers.UUIDField(required=False)
    after = serializers.UUIDField(required=False)
    order = serializers.IntegerField(required=False)
    seen_order = serializers.IntegerField(required=False, help_text="The order that you saw it at.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs.keys() - {"seen_order"}) != 1:
            raise serializers.ValidationError("Send one of place, before, after and order.")
        return attrs


class RenumberedAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    old = serializers.IntegerField()
    new = serializers.IntegerField()


class MoveAnswer(PolicyAnswer):
    """The policy at its new place; with `dry_run=true` what the move would do."""

    renumbered = RenumberedAnswer(
        many=True, help_text="Others that got another number because none was free; usually none."
    )
    undo_step = serializers.UUIDField(allow_null=True, help_text="null: it was there already.")


class BulkBody(StrictSerializer):
    """All of the policies or none; they are of one organization."""

    organization = ReferenceField(help_text="Id or slug.")
    policies = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MOST_AT_ONCE)
    do = serializers.ChoiceField(choices=("enable", "disable", "delete", "set_status"))
    status = serializers.ChoiceField(choices=Status.choices, required=False, help_text="For set_status.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["do"] == "set_status") != ("status" in attrs):
            raise serializers.ValidationError({"status": ["This belongs to set_status, which needs it."]})
        return attrs


class BulkAnswer(serializers.Serializer[Any]):
    changed = serializers.ListField(child=serializers.UUIDField(), help_text="Those that were not so already.")
    undo_step = serializers.UUIDField(allow_null=True)


class UndoStepAnswer(serializers.Serializer[UndoStep]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    kind = serializers.CharField()
    summary = serializers.CharField()
    actor_name = serializers.CharField()
    created_at = InstantField()
    undone_at = InstantField(allow_null=True)
    undone_by = serializers.CharField()


class UndoQuery(QuerySerializer):
    organization = ReferenceField(required=False)
