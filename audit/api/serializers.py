"""Shapes of events, file history and approval requests in the REST API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.event_rows import EventRow
from audit.grouping import FIELDS
from audit.models import RequestState
from audit.words import ACTION_TYPES, OUTCOMES
from policies.api.evaluation import DecisionAnswer
from policies.api.shapes import ScopeBody
from policies.models import Action
from portal.common.api.serializers import InstantField, QuerySerializer, ReferenceField, StrictSerializer

_TEXT: dict[str, Any] = {"required": False, "max_length": 4_000}
_FILTER = "Contains; `*` wildcard (then the whole text); leading `!` excludes; `|` separates alternatives."


class EventQuery(QuerySerializer):
    """Filters of the Unified Audit. All of them must hold. Text filters: see each."""

    organization = serializers.CharField(help_text="Id, slug or name; alternatives with `|`.", **_TEXT)
    include_children = serializers.BooleanField(required=False, help_text="With the organizations beneath.")
    group = serializers.CharField(help_text="Id, slug or name; a global group means the computers it holds.", **_TEXT)
    computer = serializers.CharField(help_text="Id or name, `*` wildcard.", **_TEXT)
    user = serializers.CharField(help_text=_FILTER, **_TEXT)
    action_type = serializers.CharField(help_text=f"One of {', '.join(ACTION_TYPES)}.", **_TEXT)
    effect = serializers.CharField(
        help_text=f"One of {', '.join(OUTCOMES)}; deny (denied or would be), simulated.", **_TEXT
    )
    any_deny = serializers.BooleanField(required=False, help_text="true: denied, or would be if enforced.")
    path = serializers.CharField(help_text=_FILTER, **_TEXT)
    sha256 = serializers.CharField(help_text="A hash or its first digits.", **_TEXT)
    certificate = serializers.CharField(help_text=_FILTER, **_TEXT)
    process = serializers.CharField(help_text=_FILTER, **_TEXT)
    created_by = serializers.CharField(help_text=_FILTER, **_TEXT)
    policy = serializers.CharField(help_text="Id, or the name at the time of the decision.", **_TEXT)
    application = serializers.CharField(help_text="Id, or the name at the time of the decision.", **_TEXT)
    group_by = serializers.CharField(required=False, max_length=60, help_text=f"One or two of {', '.join(FIELDS)}.")
    q = serializers.CharField(help_text="A query line, as on the screen.", allow_blank=True, **_TEXT)

    def get_fields(self) -> dict[str, Any]:
        """`from` is a word of Python's own, so `from` and `to` are added by name."""
        help_text = "Arrived at or after: an RFC 3339 time, 24h, 7d, today, yesterday."
        return {
            **super().get_fields(),
            "from": serializers.CharField(required=False, max_length=64, help_text=help_text),
            "to": serializers.CharField(required=False, max_length=64, help_text="Arrived before."),
        }


class EventAnswer(serializers.Serializer[EventRow]):
    """One event. Text of endpoints holds `⟨U+0000⟩` where a character cannot be stored; times are UTC."""

    id = serializers.CharField()
    received_at = InstantField(help_text="When it arrived: what lists are sorted by.")
    occurred_at = InstantField(help_text="As the computer's clock said, clamped to what can be.")
    organization = serializers.UUIDField(source="organization.id", allow_null=True, default=None)
    organization_name = serializers.CharField(source="organization.name", allow_null=True, default=None)
    group = serializers.UUIDField(source="group.id", allow_null=True, default=None)
    group_name = serializers.CharField(source="group.name", allow_null=True, default=None)
    computer = serializers.UUIDField(source="computer.id", allow_null=True, default=None)
    computer_name = serializers.CharField()
    user = serializers.CharField()
    action_type = serializers.CharField(source="action_type.word")
    mode = serializers.CharField(source="mode.word")
    action = serializers.CharField(source="action.word", allow_null=True, default=None)
    effect = serializers.CharField(source="outcome.effect")
    simulated = serializers.BooleanField(source="outcome.is_simulated")
    learned = serializers.BooleanField(source="is_learned")
    outcome = serializers.CharField(source="outcome.word")
    path = serializers.CharField()
    sha256 = serializers.CharField()
    certificate = serializers.CharField()
    process = serializers.CharField()
    created_by = serializers.CharField()
    command_line = serializers.SerializerMethodField()
    policy = serializers.CharField()
    policy_name = serializers.CharField()
    application = serializers.CharField()
    application_name = serializers.CharField()
    rule = serializers.CharField()
    reason_code = serializers.CharField()
    size = serializers.IntegerField()
    bundle_version = serializers.IntegerField()
    hidden_characters = serializers.BooleanField(source="has_hidden_characters")
    wrong_clock = serializers.BooleanField(source="has_wrong_clock")
    gap = serializers.SerializerMethodField(help_text="What the agent had to drop before this; null otherwise.")

    def get_command_line(self, row: EventRow) -> str:
        return "" if row.is_gap else row.command_line

    def get_gap(self, row: EventRow) -> dict[str, int] | None:
        if not row.is_gap:
            return None
        permits, denies = row.dropped
        return {"dropped_permits": permits, "dropped_denies": denies}


class GroupAnswer(serializers.Serializer[Any]):
    values = serializers.DictField(child=serializers.CharField())
    count = serializers.IntegerField(source="number")
    first_at = InstantField()
    last_at = InstantField()


class ExplanationAnswer(serializers.Serializer[Any]):
    then = EventAnswer(source="row", help_text="As the computer decided, by its bundle of that time.")
    now = DecisionAnswer(allow_null=True, help_text="As it would be decided now, with everything saved.")
    changed = serializers.BooleanField()
    smallest_change = serializers.CharField(source="smallest")


class NewApplication(StrictSerializer):
    name = serializers.CharField(max_length=120)


class ApplicationChoice(StrictSerializer):
    """Exactly one of the two."""

    existing = serializers.UUIDField(required=False)
    create = NewApplication(required=False)  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("existing" in attrs) == ("create" in attrs):
            raise serializers.ValidationError("Send existing or create, one of the two.")
        return attrs


@extend_schema_field({"oneOf": [{"type": "boolean"}, {"type": "string", "maxLength": 2048}]})
class ConditionField(serializers.Field[Any, Any, Any, Any]):
    """true: the event's own value. A text: this value (path, process and created_by may begin with regex:)."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or (isinstance(data, str) and len(data) <= 2048):
            return data
        raise serializers.ValidationError("This must be true, false or a text of at most 2,048 characters.")

    def to_representation(self, value: Any) -> Any:
        return value


class RuleChoice(StrictSerializer):
    """`{"choose": "automatic"}`, or the conditions."""

    choose = serializers.ChoiceField(choices=("automatic",), required=False)
    hash = ConditionField(required=False)
    path = ConditionField(required=False)
    process = ConditionField(required=False)
    created_by = ConditionField(required=False)
    certificate = ConditionField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs or ("choose" in attrs and len(attrs) > 1):
            raise serializers.ValidationError("Choose automatic or name the conditions, one of the two.")
        return attrs


class PermitBody(StrictSerializer):
    """Permit Application: four answers."""

    application = ApplicationChoice()
    rule = RuleChoice(required=False, help_text="Automatic unless given.")
    action = serializers.ChoiceField(choices=Action.choices, required=False)
    ringfence = serializers.JSONField(required=False, allow_null=True)
    scope = ScopeBody()
    place = serializers.ChoiceField(choices=("top", "bottom"), required=False)
    expires_at = InstantField(required=False, allow_null=True)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    ticket = serializers.CharField(required=False, allow_blank=True, max_length=120)
    deploy = serializers.ChoiceField(choices=("none", "computer", "scope"), required=False)


class ApproveBody(PermitBody):
    tell_user = serializers.CharField(required=False, allow_blank=True, max_length=1000)


class DenyBody(StrictSerializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    tell_user = serializers.CharField(required=False, allow_blank=True, max_length=1000)


class PermittedAnswer(serializers.Serializer[Any]):
    """Ids of what was made or used."""

    application = serializers.UUIDField(source="application.id")
    application_name = serializers.CharField(source="application.name")
    rule = serializers.UUIDField(source="rule.id")
    policy = serializers.UUIDField(source="policy.id")
    policy_name = serializers.CharField(source="policy.name")
    order = serializers.IntegerField(source="policy.order")
    deployment = serializers.UUIDField(source="deployment.id", allow_null=True, default=None)
    not_sent = serializers.CharField(help_text="Why nothing was deployed although it was asked for; else empty.")


class HistoryQuery(QuerySerializer):
    path = serializers.CharField(required=False, max_length=32_768, help_text="The exact path, in any case.")
    sha256 = serializers.CharField(required=False, max_length=64)
    organization = ReferenceField(required=False, help_text="Id or slug; all in reach unless given.")


class VersionAnswer(serializers.Serializer[Any]):
    sha256 = serializers.CharField()
    path = serializers.CharField()
    certificate = serializers.CharField()
    first_at = InstantField()
    last_at = InstantField()
    events = serializers.IntegerField()
    denied = serializers.IntegerField()
    computers = serializers.IntegerField()
    organizations = serializers.IntegerField()
    created_by = serializers.ListField(child=serializers.CharField())


class HistoryAnswer(serializers.Serializer[Any]):
    path = serializers.CharField()
    sha256 = serializers.CharField()
    verdict = serializers.CharField(source="sentence")
    hash_changes = serializers.IntegerField(help_text="New hashes under the path in the last 30 days.")
    hash_is_stable = serializers.BooleanField(source="is_hash_stable")
    versions = VersionAnswer(many=True)


class RequestQuery(QuerySerializer):
    organization = ReferenceField(required=False)
    state = serializers.ChoiceField(choices=RequestState.choices, required=False)


class ApprovalRequestAnswer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    organization = serializers.UUIDField(source="organization_id")
    organization_name = serializers.CharField(source="organization.name")
    computer = serializers.UUIDField(source="computer_id")
    computer_name = serializers.CharField(source="computer.name")
    state = serializers.ChoiceField(choices=RequestState.choices)
    user = serializers.CharField()
    reason = serializers.CharField()
    action_type = serializers.CharField()
    path = serializers.CharField()
    sha256 = serializers.CharField()
    certificate = serializers.CharField()
    process = serializers.CharField()
    created_by = serializers.CharField()
    command_line = serializers.CharField()
    occurred_at = InstantField()
    created_at = InstantField()
    expires_at = InstantField()
    decided_at = InstantField(allow_null=True)
    decided_by = serializers.CharField()
    decision_reason = serializers.CharField()
    answer = serializers.CharField()
    policy = serializers.UUIDField(source="policy_id", allow_null=True)
