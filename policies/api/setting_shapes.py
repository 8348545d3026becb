"""Shapes of agent settings in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.api.shapes import ScopeAnswer, ScopeBody
from policies.models import SettingName
from policies.placing import Placement
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer

_VALUE = "true or false; seconds for checkin_seconds."


class SettingAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    scope = ScopeAnswer(source="*")
    name = serializers.ChoiceField(choices=SettingName.choices)
    value = serializers.JSONField(help_text=_VALUE)
    order = serializers.IntegerField(help_text="Lower wins.")
    changed_at = InstantField()
    changed_by = serializers.CharField()


class SettingBody(StrictSerializer):
    scope = ScopeBody()
    name = serializers.ChoiceField(choices=SettingName.choices)
    value = serializers.JSONField(help_text=_VALUE)
    place = serializers.ChoiceField(choices=("top", "bottom"), required=False)


class SettingChange(StrictSerializer):
    value = serializers.JSONField(help_text=_VALUE)


class SettingMoveBody(StrictSerializer):
    """One of the three. `before` and `after` name another setting of the same organization."""

    place = serializers.ChoiceField(choices=("top", "bottom"), required=False)
    before = serializers.UUIDField(required=False)
    after = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Send one of place, before and after.")
        return attrs


def placement(wanted: dict[str, Any]) -> Placement:
    """The place that a valid SettingMoveBody asks for."""
    if "place" in wanted:
        return Placement(wanted["place"])
    where = "before" if "before" in wanted else "after"
    return Placement(where, wanted[where])  # type: ignore[arg-type]


class SettingQuery(QuerySerializer):
    organization = ReferenceField(required=False)


class EffectiveQuery(QuerySerializer):
    computer = ReferenceField(required=False)
    group = ReferenceField(required=False)
    organization = ReferenceField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Send one of computer, group and organization.")
        return attrs


class EffectiveAnswer(serializers.Serializer[Any]):
    """One setting at one place: its value, the setting that says so, and those that apply there too and lose."""

    name = serializers.CharField()
    value = serializers.JSONField(help_text=_VALUE)
    origin = SettingAnswer(allow_null=True, help_text="null: nothing is set, and this is the default.")
    beaten = SettingAnswer(many=True)
    why = serializers.CharField(help_text="By which rule the first of them loses.")


class EffectiveSettings(serializers.Serializer[Any]):
    settings = EffectiveAnswer(many=True)
