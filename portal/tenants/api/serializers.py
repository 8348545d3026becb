"""Shapes of organizations, computer groups, computers and System Audit entries in the REST API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer
from portal.tenants.models import Color, Computer, Mode, OperatingSystem


class OrganizationAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    parent_name = serializers.CharField(source="parent.name", default=None, allow_null=True)
    color = serializers.ChoiceField(choices=Color.choices)
    time_zone = serializers.CharField()
    created_at = InstantField()


class OrganizationBody(StrictSerializer):
    name = serializers.CharField(max_length=120)
    slug = serializers.CharField(max_length=60, required=False, help_text="Made from the name unless given.")
    parent = ReferenceField(help_text="Id or slug of the organization above.")  # type: ignore[assignment]
    time_zone = serializers.CharField(max_length=64, required=False)
    color = serializers.ChoiceField(choices=Color.choices, required=False)


class OrganizationChange(StrictSerializer):
    name = serializers.CharField(max_length=120, required=False)
    slug = serializers.CharField(max_length=60, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)
    color = serializers.ChoiceField(choices=Color.choices, required=False)


class OrganizationQuery(QuerySerializer):
    parent = ReferenceField(required=False, help_text="Only those directly beneath this one.")  # type: ignore[assignment]
    q = serializers.CharField(required=False, max_length=120, help_text="Name or slug contains.")


class GroupAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    slug = serializers.CharField()
    name = serializers.CharField()
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    is_global = serializers.BooleanField()
    name_prefix = serializers.CharField()
    initial_learning_days = serializers.IntegerField()
    mode = serializers.ChoiceField(choices=Mode.choices)
    mode_ends_at = InstantField(allow_null=True)
    created_at = InstantField()


class GroupBody(StrictSerializer):
    organization = ReferenceField(help_text="Id or slug.")
    name = serializers.CharField(max_length=120)
    slug = serializers.CharField(max_length=60, required=False, help_text="Made from the name unless given.")
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    is_global = serializers.BooleanField(required=False)
    name_prefix = serializers.CharField(max_length=120, required=False, allow_blank=True)
    initial_learning_days = serializers.IntegerField(min_value=0, max_value=365, required=False)


class GroupChange(StrictSerializer):
    name = serializers.CharField(max_length=120, required=False)
    slug = serializers.CharField(max_length=60, required=False)
    name_prefix = serializers.CharField(max_length=120, required=False, allow_blank=True)
    initial_learning_days = serializers.IntegerField(min_value=0, max_value=365, required=False)


class GroupQuery(QuerySerializer):
    organization = ReferenceField(required=False)
    os = serializers.ChoiceField(choices=OperatingSystem.choices, required=False)
    is_global = serializers.BooleanField(required=False, allow_null=True, default=None)


class ComputerAnswer(serializers.Serializer[Computer]):
    """A computer. The bundle fields come from its own acknowledgement: null until it has acknowledged one."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    group = serializers.UUIDField(source="group_id")
    group_name = serializers.CharField(source="group.name")
    machine_id = serializers.CharField()
    os = serializers.ChoiceField(choices=OperatingSystem.choices)
    os_version = serializers.CharField()
    agent_version = serializers.CharField()
    last_user = serializers.CharField()
    last_seen_at = InstantField(allow_null=True)
    is_simulated = serializers.BooleanField()
    mode = serializers.ChoiceField(choices=Mode.choices)
    mode_ends_at = InstantField(allow_null=True)
    bundle_version = serializers.SerializerMethodField()
    bundle_sha256 = serializers.SerializerMethodField()
    in_sync = serializers.SerializerMethodField()
    created_at = InstantField()

    def _running(self, computer: Computer) -> Any:
        return self.context["running"].get(computer.id)

    def get_bundle_version(self, computer: Computer) -> int | None:
        running = self._running(computer)
        return running.version if running else None

    def get_bundle_sha256(self, computer: Computer) -> str | None:
        running = self._running(computer)
        return running.sha256 if running else None

    def get_in_sync(self, computer: Computer) -> bool:
        running = self._running(computer)
        return bool(running and running.in_sync)


class ComputerChange(StrictSerializer):
    group = ReferenceField(help_text="Id or slug of another group of the same organization.")


class ComputerQuery(QuerySerializer):
    organization = ReferenceField(required=False)
    group = ReferenceField(required=False)
    os = serializers.ChoiceField(choices=OperatingSystem.choices, required=False)
    mode = serializers.ChoiceField(choices=Mode.choices, required=False)
    silent_days = serializers.IntegerField(
        required=False, min_value=0, max_value=3650, help_text="No word for this many days."
    )
    q = serializers.CharField(required=False, max_length=120, help_text="Name, user or machine id contains.")


class EntryAnswer(serializers.Serializer[Any]):
    """One entry of the System Audit."""

    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    sequence = serializers.IntegerField()
    at = InstantField()
    actor_kind = serializers.CharField()
    actor = serializers.CharField(source="actor_id")
    actor_name = serializers.CharField()
    address = serializers.CharField()
    verb = serializers.CharField()
    target_type = serializers.CharField()
    target = serializers.CharField(source="target_id")
    target_name = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    details = serializers.JSONField()
    hash = serializers.SerializerMethodField(help_text="SHA-256 of this entry and the one before it.")

    def get_hash(self, entry: Any) -> str:
        return bytes(entry.hash).hex()


class EntryQuery(QuerySerializer):
    organization = ReferenceField(required=False)
    verb = serializers.CharField(required=False, max_length=64, help_text="Exact, or a beginning such as policy.")
    actor = serializers.CharField(required=False, max_length=64, help_text="Id of a person, token or computer.")
    target = serializers.CharField(required=False, max_length=64, help_text="Id of what was changed.")
    q = serializers.CharField(required=False, max_length=120, help_text="Who or what contains.")
    since = InstantField(required=False)
    until = InstantField(required=False)


class VerificationQuery(QuerySerializer):
    organization = ReferenceField(required=False)


class VerificationAnswer(serializers.Serializer[Any]):
    organization = serializers.UUIDField(source="organization.id")
    organization_name = serializers.CharField(source="organization.name")
    checked = serializers.IntegerField(help_text="Entries whose hash was recomputed.")
    first_bad = serializers.IntegerField(allow_null=True, help_text="Sequence of the first entry that is wrong.")
    head = serializers.CharField(help_text="Hash of the newest entry.")
    whole = serializers.BooleanField()
