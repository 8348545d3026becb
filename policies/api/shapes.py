"""Pieces of JSON that several resources share: a scope, a window of a schedule, a policy as it is asked for."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from policies.models import Action, Level, Status
from portal.common.api.serializers import InstantField, ReferenceField, StrictSerializer


class ScopeBody(StrictSerializer):
    level = serializers.ChoiceField(choices=Level.choices)
    target = ReferenceField(
        help_text="Id of the organization, group or computer; organizations and groups also by slug. "
        "Global: a global group, or the organization at the top."
    )


class ScopeAnswer(serializers.Serializer[Any]):
    level = serializers.ChoiceField(choices=Level.choices)
    target = serializers.UUIDField(source="target_id")
    target_name = serializers.CharField()


class WindowBody(StrictSerializer):
    """A weekly window in the organization's time zone. One past midnight belongs to its start day."""

    day = serializers.IntegerField(min_value=0, max_value=6, help_text="0 is Monday.")
    start = serializers.CharField(max_length=5, help_text="Like 08:30.")
    end = serializers.CharField(max_length=5, help_text="Like 17:30; the end of the day is 24:00.")


class PolicyFields(StrictSerializer):
    """What creating, changing and trying a policy have in common."""

    name = serializers.CharField(
        max_length=160, required=False, help_text="Proposed as <scope>-<application>-<purpose> unless given."
    )
    scope = ScopeBody(required=False)
    applications = serializers.ListField(
        child=serializers.UUIDField(), required=False, help_text="All built-in or all custom, of one system."
    )
    action = serializers.ChoiceField(choices=Action.choices, required=False)
    status = serializers.ChoiceField(choices=Status.choices, required=False)
    enabled = serializers.BooleanField(required=False)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    starts_at = InstantField(required=False, allow_null=True)
    expires_at = InstantField(required=False, allow_null=True)
    schedule = WindowBody(many=True, required=False)
    users = serializers.ListField(
        child=serializers.CharField(max_length=256), required=False, help_text="Empty: everyone."
    )
    allow_request = serializers.BooleanField(required=False)
    kill_running = serializers.BooleanField(required=False, help_text="Deny only: end programs that run already.")
    notify = serializers.ListField(
        child=serializers.EmailField(max_length=254),
        required=False,
        help_text="Deny only: people of the organization who get an e-mail when it stops something.",
    )
    log = serializers.BooleanField(required=False)
    ringfence = serializers.JSONField(required=False, allow_null=True)
    owner = serializers.CharField(max_length=200, required=False, allow_blank=True)
    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    ticket = serializers.CharField(max_length=120, required=False, allow_blank=True)


class PolicyBody(PolicyFields):
    """A new policy. Its order comes from its place: at the bottom unless `place` is top."""

    scope = ScopeBody()
    applications = serializers.ListField(child=serializers.UUIDField())
    action = serializers.ChoiceField(choices=Action.choices)
    place = serializers.ChoiceField(choices=("top", "bottom"), required=False)


class DraftBody(PolicyFields):
    """A policy that is not saved, only judged; it stands at the bottom of its list."""

    scope = ScopeBody()
    applications = serializers.ListField(child=serializers.UUIDField())
    action = serializers.ChoiceField(choices=Action.choices)
