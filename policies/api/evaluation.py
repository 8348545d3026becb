"""`POST /evaluate/`: the decision on some facts at a computer or in a group, with its trace."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.response import Response

from policies.api.shapes import DraftBody
from policies.drafting import draft_from
from policies.engine.facts import FileFacts
from policies.evaluate import evaluate_at
from portal.common.api.requests import PortalAPIRequest
from portal.common.api.serializers import InstantField, ReferenceField, StrictSerializer
from portal.common.api.views import PortalAPIView
from portal.tenants.capabilities import Capability

_FACT: dict[str, Any] = {"required": False, "allow_blank": True, "max_length": 32_768}


class FactsBody(StrictSerializer):
    """What a computer saw. An empty fact satisfies no condition."""

    path = serializers.CharField(**_FACT)
    sha256 = serializers.CharField(required=False, allow_blank=True, max_length=64)
    certificate = serializers.CharField(help_text="Subject of the file's valid signer.", **_FACT)
    process = serializers.CharField(help_text="Path of the launching program.", **_FACT)
    created_by = serializers.CharField(help_text="Path of the program that wrote the file.", **_FACT)
    command_line = serializers.CharField(**_FACT)
    user = serializers.CharField(required=False, allow_blank=True, max_length=256)
    action_type = serializers.CharField(required=False, max_length=32)


class EvaluateBody(StrictSerializer):
    computer = ReferenceField(required=False)
    group = ReferenceField(required=False, help_text="Any computer of this group without policies of its own.")
    facts = FactsBody()
    at = InstantField(required=False, help_text="Now unless given.")
    draft = DraftBody(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("computer" in attrs) == ("group" in attrs):
            raise serializers.ValidationError("Send computer or group.")
        return attrs


class ConditionAnswer(serializers.Serializer[Any]):
    field = serializers.CharField()
    pattern = serializers.CharField()
    value = serializers.CharField()
    matched = serializers.BooleanField()


class StepAnswer(serializers.Serializer[Any]):
    """One candidate: won, skipped (with the reason), later, or near_miss (with the condition that failed)."""

    outcome = serializers.CharField()
    policy = serializers.CharField()
    policy_name = serializers.CharField()
    action = serializers.CharField()
    level = serializers.CharField()
    order = serializers.IntegerField()
    application = serializers.CharField(allow_null=True)
    application_name = serializers.CharField()
    rule = serializers.CharField(allow_null=True)
    rule_number = serializers.IntegerField()
    reason = serializers.CharField()
    conditions = ConditionAnswer(many=True)
    sentence = serializers.CharField()


class DecisionAnswer(serializers.Serializer[Any]):
    action = serializers.CharField(help_text="What the policy says.")
    effect = serializers.ChoiceField(choices=("permitted", "denied", "ringfenced"))
    simulated = serializers.BooleanField(help_text="Not enforced in the computer's mode.")
    learned = serializers.BooleanField()
    policy = serializers.CharField(allow_null=True)
    policy_name = serializers.CharField()
    application = serializers.CharField(allow_null=True)
    application_name = serializers.CharField()
    rule = serializers.CharField(allow_null=True)
    because = serializers.CharField()
    reason_code = serializers.CharField()
    trace = StepAnswer(many=True)


EXAMPLE = {
    "computer": "01a1fd00-0000-7000-8000-000000000001",
    "facts": {"path": "c:\\windows\\temp\\acmermm\\4be10c77d2.ps1", "created_by": "c:\\program files\\acmermm\\a.exe"},
}


class Evaluate(PortalAPIView):
    """What would happen."""

    needs = {"POST": Capability.POLICY_READ}
    body = {"POST": EvaluateBody}
    answer = {"POST": DecisionAnswer, "GET": DecisionAnswer}
    examples = {"POST": (EXAMPLE, None)}

    def post(self, request: PortalAPIRequest) -> Response:
        """Judge facts at a computer or in a group, now or at another time, with a draft policy if one is given."""
        wanted = self.parsed()
        facts = dict(wanted["facts"])
        certificate = facts.pop("certificate", "")
        draft = wanted.get("draft")
        decision = evaluate_at(
            request.reach,
            facts=FileFacts(**{"path": "", **facts}, certificates=(certificate,) if certificate else ()),
            computer=wanted.get("computer"),
            group=wanted.get("group"),
            at=wanted.get("at"),
            draft=draft_from(request.reach, draft) if draft else None,
        )
        return self.one(decision)
